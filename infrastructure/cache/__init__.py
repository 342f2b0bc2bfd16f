"""Answers that are the same for many callers, kept near them. See README.md."""
