"""How much goes into a cart."""

from __future__ import annotations

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
# Characters of all SKUs, notes and codes together, as UTF-8 bytes.
MAX_BYTES = 65_536
MAX_COUPONS = 10
# Of how many carts that were merged into it a cart knows so, the latest.
MAX_MERGED = 100
CHANGES_AT_ONCE = 100
NOTE_LENGTH = 1000
LINE_NOTE_LENGTH = 200
