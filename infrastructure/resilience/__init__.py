"""Living with other systems that are slow, silent or away. See README.md."""
