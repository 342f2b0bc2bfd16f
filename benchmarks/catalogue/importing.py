"""How fast products are imported, through the command that operators use."""

from __future__ import annotations
