from __future__ import annotations


class StackError(Exception):
    """Something the person at the keyboard can put right.

    `what` says what happened, `todo` what to do about it; both are whole sentences.
    """

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what} {todo}")
        self.what = what
        self.todo = todo
