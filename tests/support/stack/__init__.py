"""The whole shop as processes on servers of its own, for tests that kill parts of it."""
