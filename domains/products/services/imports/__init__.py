"""Imports: what files or requests say of the catalogue, written in batches.

* `engine`: a batch as a whole, and row by row where that fails
* `products`, `categories`, `types`, `prices`, `stock`: what a batch of each kind does
* `running`: a file from its beginning to its end, as an operation
"""
