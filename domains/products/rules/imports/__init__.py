"""Files of the catalogue: what a row may hold, and how rows are read and written.

* `cells`: a value as one cell of CSV, and back
* `rows`: the types of the rows, the same for CSV, JSON Lines and the API
* `columns`: which column of CSV is which part of a row
* `reading`: a stream of bytes as rows, each right or with its faults
* `writing`: rows as CSV or JSON Lines
"""
