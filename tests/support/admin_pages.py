"""Pages of the admin as a browser sees them: what a form would send."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self._select: str | None = None
        self._first: str | None = None
        self._several = False
        self._area: str | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        told = dict(attrs)
        name = told.get("name")
        if tag == "template":
            self._hidden += 1
        if self._hidden:
            return
        if tag == "input" and name and told.get("type") not in ("submit", "file"):
            checkable = told.get("type") in ("checkbox", "radio")
            if not checkable or "checked" in told:
                self._add(name, told.get("value", "on" if checkable else ""))
        elif tag == "select":
            self._select, self._first = name, None
            self._several = "multiple" in told
        elif tag == "option" and self._select:
            if self._first is None:
                self._first = told.get("value", "")
            if "selected" in told:
                self._add(self._select, told.get("value", ""))
        elif tag == "textarea" and name:
            self._area = name
            self.values[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._hidden -= 1
        if tag == "select" and self._select:
            # As a browser does: of a list where one is chosen, the first.
            if not self._several and self._select not in self.values and self._first is not None:
                self._add(self._select, self._first)
            self._select = None
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area and not self._hidden:
            self.values[self._area] = [self.values[self._area][0] + data.removeprefix("\n")]

    def _add(self, name: str, value: str | None) -> None:
        self.values.setdefault(name, []).append(value or "")


def filled(page: HttpResponse) -> dict[str, Any]:
    """What all the forms of a page would send if nobody touched them; buttons left out."""
    forms = _Forms()
    forms.feed(page.content.decode())
    return {
        name: values if len(values) > 1 else values[0]
        for name, values in forms.values.items()
        if name != "csrfmiddlewaretoken"
    }


def text_of(page: HttpResponse) -> str:
    return page.content.decode()
