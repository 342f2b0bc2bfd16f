"""Changes of many at once: what is wanted, what it would come to, and then the change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from infrastructure.screens import ScreenAdmin, ServiceForm

# Larger changes are made by an import.
MOST = 500
# Refusals that are told one by one afterwards.
MOST_TOLD = 20

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Selected:
    """Keys and names. is_cut: more are selected, and these are the first of them."""

    rows: Sequence[tuple[UUID, str]]
    is_cut: bool

    @property
    def keys(self) -> list[UUID]:
        return [key for key, _ in self.rows]

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.rows]


class Change(ABC, Generic[P]):
    """What is done with many. form: what has to be said of it first. template: extends
    `products/many.html`. named: the field that names what is selected, and that it is ordered by.
    """

    title: ClassVar[str]
    form: ClassVar[type[ServiceForm]]
    template: ClassVar[str]
    named: ClassVar[str]

    @abstractmethod
    def preview(self, selected: Selected, said: dict[str, Any]) -> P:
        """Raises DomainError where nothing can come of it at all."""

    @abstractmethod
    def carry_out(
        self, request: HttpRequest, selected: Selected, said: dict[str, Any], preview: P
    ) -> bool:
        """Do it, and tell; False where it is not what somebody agreed to any more. Raises
        DomainError where nothing came of it."""

    def show_again(self, form: ServiceForm) -> None:
        """What is different in a form with what was said, for the next page."""


def ask_and_do(
    screen: ScreenAdmin, request: HttpRequest, queryset: QuerySet[Any], change: Change[Any]
) -> TemplateResponse | None:
    """Ask, show, and do it; None once it is done."""
    selected = _selected(request, queryset, change.named)
    step = request.POST.get("step", "")
    form = change.form(request.POST if step else None)
    preview, outdated = None, False
    if step and form.is_valid():
        with form.refusals():
            said = form.cleaned_data
            preview = change.preview(selected, said)
            if step == "apply":
                if change.carry_out(request, selected, said, preview):
                    return None
                outdated, preview = True, change.preview(selected, said)
        change.show_again(form)
    return screen.shown(
        request,
        change.template,
        title=change.title,
        change=change,
        form=form,
        preview=preview if form.is_valid() else None,
        outdated=outdated,
        selected=selected,
        most=MOST,
        action=request.POST["action"],
        back=request.get_full_path(),
        media=screen.media + form.media,
    )


def _selected(request: HttpRequest, queryset: QuerySet[Any], named: str) -> Selected:
    """A page sends only those on that it is about, and says that there were more."""
    rows = list(queryset.order_by(named, "pk").values_list("pk", named)[: MOST + 1])
    return Selected(rows[:MOST], is_cut=len(rows) > MOST or "is_cut" in request.POST)


def tell(request: HttpRequest, done: str, refused: Sequence[str]) -> None:
    messages.success(request, done)
    for sentence in refused[:MOST_TOLD]:
        messages.error(request, sentence)
    if len(refused) > MOST_TOLD:
        messages.error(request, f"{len(refused) - MOST_TOLD:,} more were refused.")
