"""What the names may look like that people and other systems give to things (regular expressions).

They are parts of paths, so none has a slash, and none begins or ends with a space.
"""

from __future__ import annotations

# Printable; letters in either case.
SKU = r"^[^\s/?#%]+( [^\s/?#%]+)*$(?!\s)"
# Whatever other systems call their things.
EXTERNAL_ID = r"^[^\s/]+( [^\s/]+)*$(?!\s)"
SLUG = r"^[^\sA-Z/?#%:]+$(?!\s)"
CODE = r"^[a-z0-9][a-z0-9_-]*$(?!\s)"
