"""Where the shop sells: its own site, a marketplace, a counter."""

from __future__ import annotations

from django.db import models


class Channel(models.Model):
    """A name that price lists and readers agree on; a reference row that others point at."""

    code = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name
