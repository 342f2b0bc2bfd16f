"""What staff do to an order: for each a form, what it would come to, and the one service it calls.

A page shows what it would come to first. What is confirmed is exactly that: if it would come to
something else by then, that is shown instead of being done. A form that is sent twice acts once.
"""

from domains.orders.admin.doings.base import WORDS, Comes, may, owed_by_guest
from domains.orders.admin.doings.money import Approve
from domains.orders.admin.doings.noting import Note
from domains.orders.admin.doings.offering import KINDS, of_return, offered

__all__ = [
    "KINDS",
    "WORDS",
    "Approve",
    "Comes",
    "Note",
    "may",
    "of_return",
    "offered",
    "owed_by_guest",
]
