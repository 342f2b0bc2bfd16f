"""What the names may look like that people and other systems give to things (regular expressions).

They are parts of paths, so none has a slash or what clients take for one, and none begins or ends
with a space. `.` and `..` are none of them: clients resolve these before they send anything (RFC
3986, section 5.2.4), even percent-encoded.
"""

from __future__ import annotations

_NO_DOTS = r"(?!\.{1,2}$)"
# Browsers make a slash of a backslash (WHATWG URL Standard).
_NEVER = r"\s\x00-\x1f\x7f/\\"

# Printable; letters in either case.
SKU = rf"^{_NO_DOTS}[^{_NEVER}?#%]+( [^{_NEVER}?#%]+)*$(?!\s)"
# Whatever other systems call their things.
EXTERNAL_ID = rf"^{_NO_DOTS}[^{_NEVER}]+( [^{_NEVER}]+)*$(?!\s)"
SLUG = rf"^{_NO_DOTS}[^{_NEVER}A-Z?#%:]+$(?!\s)"
CODE = r"^[a-z0-9][a-z0-9_-]*$(?!\s)"
