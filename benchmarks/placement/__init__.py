"""Synchronous placement over HTTP, beside pgbench doing the same statements."""
