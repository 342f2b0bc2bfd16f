"""Makes the files of `demo/data` from the whole of Online Retail:

    python -m demo.make_extract --from online_retail.csv.gz

products.csv.gz has every good of the whole set. invoices.csv.gz has every eighth invoice number,
the longest invoice, and the first invoice with each kind of dirt; their lines are unchanged.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from collections import Counter
from pathlib import Path

from demo.catalogue import DATA, PRODUCTS, REPORT, Catalogue, write_products
from demo.invoices import INVOICES
from demo.online_retail import COLUMNS, Kind, classified, read

EVERY = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="PATH")
    source: Path = parser.parse_args().source
    DATA.mkdir(exist_ok=True)

    catalogue = Catalogue()
    numbers: dict[str, None] = {}
    lengths: Counter[str] = Counter()
    first_of: dict[Kind, str] = {}
    for kind, line in classified(read(source)):
        catalogue.take(kind, line)
        numbers[line.invoice] = None
        lengths[line.invoice] += 1
        first_of.setdefault(kind, line.invoice)
    chosen = {number for place, number in enumerate(numbers) if place % EVERY == 0}
    chosen |= {*first_of.values(), lengths.most_common(1)[0][0]}

    count = write_products(catalogue.products())
    REPORT.write_text(json.dumps(catalogue.report(), indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in read(source):
        if row["InvoiceNo"] in chosen:
            writer.writerow(row)
    INVOICES.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    for path, rows in ((PRODUCTS, count), (INVOICES, sum(lengths[n] for n in chosen))):
        print(f"{path.name}: {rows} rows, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
