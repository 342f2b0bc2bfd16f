"""The base of every staff screen: state is read-only, and actions call services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as datetime_time
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import DateTimeField, QuerySet
from django.forms.utils import ErrorDict
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from infrastructure.database.contexts import aliases
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.previews import SHOWN, Foreseen, Preview, foreseen, in_all

# What one click may do: each takes a command of its own, some a call to a provider.
MOST_AT_ONCE = 100
# Of what was selected, so many are named on the page that asks once more.
MOST_NAMED = 100

# What an action does with one selected object, given the reason that staff wrote; what it says
# afterwards, as the end of a sentence.
Command = Callable[[Any, str], str]


_reason = LineField(max_length=60, error_messages={"required": "Say why."})


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortcut:
    """A way from the first page straight to what somebody does every day.

    url: the name of a route of the admin. scope: what one needs to do it. rank: smaller is first.
    """

    title: str
    url: str
    scope: str
    rank: int
    query: str = ""


def version_in(posted: Any) -> int:
    """The version that a page was made from, of its hidden field; one that never was, without."""
    text = posted.get("version", "")
    return int(text) if text.isdecimal() else -1


SHORTCUTS: list[Shortcut] = []


def shortcuts_for(request: HttpRequest) -> list[tuple[str, str]]:
    """Titles and addresses of what this member of staff may do."""
    user: Any = request.user
    scopes = user.scopes if user.is_active else frozenset()
    return [
        (shortcut.title, reverse(shortcut.url) + shortcut.query)
        for shortcut in sorted(SHORTCUTS, key=lambda one: one.rank)
        if shortcut.scope in scopes
    ]


class ServiceForm(forms.Form):
    """A form whose values go to a service, and which shows what the service refuses.

    fields_of_codes: the field that a refusal without a pointer is about, by its code.
    """

    template_name = "infrastructure/form.html"
    fields_of_codes: ClassVar[Mapping[str, str]] = {}

    def refuse(self, refusal: DomainError) -> None:
        """Show what was refused, next to the field it is about where there is one."""
        for error in refusal.errors:
            self.fault(error.pointer.strip("/?"), error.code, error.detail)
        if not refusal.errors:
            self.fault("", refusal.code, refusal.detail)

    def fault(self, place: str, code: str, detail: str) -> None:
        """place: of a JSON pointer; what is no field here is told above the form."""
        name = place.partition("/")[0]
        field = name if name in self.fields else self.fields_of_codes.get(code)
        self.add_error(field if field in self.fields else None, detail)

    def reissue(self, **hidden: object) -> None:
        """Shown again, it says these in its hidden fields: it came to nothing, and is a new one."""
        data: Any = self.data
        self.data = data = data.copy()
        for name, value in hidden.items():
            data[name] = str(value)

    def leave_unjudged(self) -> None:
        """Show what was entered as it is, without errors."""
        self._errors = ErrorDict()

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Around the call of a service: what it refuses is shown by the form."""
        try:
            yield
        except DomainError as refusal:
            self.refuse(refusal)


class DatabaseFilter(admin.SimpleListFilter):
    """Every database has tables of the platform of its own; shown where there is more than one."""

    title = "database"
    parameter_name = "database"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(alias, alias) for alias in aliases()] if len(aliases()) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.using(self.value()) if self.value() in aliases() else queryset


class _Days(forms.Form):
    since = forms.DateField(required=False, label="From")
    until = forms.DateField(required=False, label="To")


class DateRangeFilter(admin.ListFilter):
    """From one day to another, both included; days are those of UTC for a field of instants."""

    template = "infrastructure/date_range.html"
    field: ClassVar[str]

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self._names = {name: f"{self.field}_{name}" for name in ("since", "until")}
        for name in self._names.values():
            params.pop(name, None)
        self._kept = [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if name not in (*self.expected_parameters(), "p")
        ]
        said = {name: request.GET.get(told, "") for name, told in self._names.items()}
        self.form = _Days(said)
        self._is_date = not isinstance(model._meta.get_field(self.field), DateTimeField)

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self._names.values())

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        yield {
            "kept": self._kept,
            "inputs": [
                (told, self.form[name].label, self.form[name].value(), self.form[name].errors)
                for name, told in self._names.items()
            ],
            "all": changelist.get_query_string(remove=self.expected_parameters()),
            "is_used": any(self.form[name].value() for name in self._names),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What is no day narrows nothing, and is marked."""
        self.form.is_valid()
        since, until = (self.form.cleaned_data.get(name) for name in ("since", "until"))
        if since is not None:
            queryset = queryset.filter(**{f"{self.field}__gte": self._start(since)})
        if until is not None and until < date.max:
            end = self._start(until + timedelta(days=1))
            queryset = queryset.filter(**{f"{self.field}__lt": end})
        return queryset

    def _start(self, day: date) -> date:
        return day if self._is_date else datetime.combine(day, datetime_time.min, UTC)


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model that is looked at here and changed by services."""

    show_full_result_count = False
    # More where no action waits for anybody outside.
    most_at_once: ClassVar[int] = MOST_AT_ONCE

    def may(self, request: HttpRequest, scope: str) -> bool:
        """Whether the member of staff holds a scope; services ask for the same one."""
        return bool(request.user.has_scope(scope))  # type: ignore[union-attr]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        title = str(self.model._meta.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def response_action(  # type: ignore[override]
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase | None:
        """Raises SuspiciousOperation for a selection that no page of ours has."""
        key = self.model._meta.pk
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                ProhibitNullCharactersValidator()(chosen)
                key.run_validators(key.to_python(chosen))
            except ValidationError as error:
                raise SuspiciousOperation("The selection names no row.") from error
        return super().response_action(request, queryset)

    def describe(self, selected: Any) -> str:
        """What the page that asks once more says of an object."""
        return str(selected)

    def confirmed(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        command: Command,
        *,
        title: str,
        question: str,
        wants_reason: bool = False,
        reasons: Sequence[tuple[str, str]] = (),
        preview: Preview | None = None,
    ) -> TemplateResponse | None:
        """Ask once more, then run the command; for actions that cannot be taken back.

        wants_reason: in staff's own words. reasons: codes with their names, one of which it is.
        preview: tells for each object what the command would come to, and binds it to that.
        """
        if request.POST.get("confirmed") == "yes":
            fault = _fault_of_reason(request, wants_reason=wants_reason, reasons=reasons)
            if not fault:
                self.run(request, queryset, command, preview=preview)
                return None
            messages.error(request, fault)
        selected = self.chosen(request, queryset)
        if selected is None:
            return None
        meta = self.model._meta
        context = {
            **self.admin_site.each_context(request),
            **(self.previewed(selected, preview) if preview else self.named(selected)),
            "title": title,
            "question": question,
            "action": request.POST["action"],
            "wants_reason": wants_reason,
            "reasons": reasons,
            "back": reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any] | None:
        """What an action is for. None, and why, where that is more than one click may do: then
        nothing is done, rather than something to some of it."""
        selected = list(queryset[: self.most_at_once + 1])
        if len(selected) <= self.most_at_once:
            return selected
        messages.error(
            request,
            f"Nothing was done: {queryset.count():,} are selected, and {self.most_at_once} is the"
            " most at once. Narrow them by the filters, or select page by page.",
        )
        return None

    def named(self, selected: Sequence[Any]) -> dict[str, Any]:
        """For `infrastructure/selected.html`: all that is selected, of which so many are named."""
        return {
            "keys": [one.pk for one in selected],
            "named": [self.describe(one) for one in selected[:MOST_NAMED]],
            "count": len(selected),
            "unnamed": max(len(selected) - MOST_NAMED, 0),
        }

    def previewed(self, selected: Sequence[Any], preview: Preview) -> dict[str, Any]:
        """`named`, with what would become of each, and the totals of what would not be refused."""
        shown = [foreseen(one, preview) for one in selected]
        named = self.named(selected)
        refused = sum(one.would is None for one in shown)
        totals = [*in_all(shown), *([f"{refused:,} of {len(shown):,} refused"] if refused else [])]
        return named | {
            "previewed": list(zip(named["named"], shown, strict=False)),
            "in_all": ", ".join(totals),
            "marks": [one.mark for one in shown],
        }

    def run(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        command: Command,
        *,
        preview: Preview | None = None,
    ) -> None:
        """Run a command on each selected object, and say for each what came of it; what went well
        with many is counted.

        preview: what was shown of each before; an object of which it says something else by now is
        left out.
        """
        reason = request.POST.get("reason", "").strip()
        shown = set(request.POST.getlist(SHOWN))
        selected = self.chosen(request, queryset) or []
        counted: Counter[str] = Counter()
        for one in selected:
            if preview is not None and (now := foreseen(one, preview)).mark not in shown:
                self._leave_out(request, one, now)
                continue
            try:
                done = command(one, reason)
            except DomainError as refusal:
                messages.error(request, f"{one}: {refusal.detail}")
            else:
                if len(selected) > MOST_NAMED:
                    counted[done] += 1
                else:
                    messages.success(request, f"{one}: {done}.")
        for done, count in counted.items():
            messages.success(request, f"{count:,} of {len(selected):,}: {done}.")

    def _leave_out(self, request: HttpRequest, one: Any, now: Foreseen) -> None:
        meta = self.model._meta
        page = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[one.pk])
        told = (
            '{}: left out, since it is not what was shown. By now: {}. <a href="{}">Look at it</a>.'
        )
        messages.warning(request, format_html(told, one, str(now).rstrip("."), page))


def _fault_of_reason(
    request: HttpRequest, *, wants_reason: bool, reasons: Sequence[tuple[str, str]]
) -> str:
    """What is wrong with the reason that was given, if anything."""
    said = request.POST.get("reason", "")
    if reasons:
        return "" if said in dict(reasons) else "Say why."
    if not wants_reason:
        return ""
    try:
        _reason.clean(said)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


class ScreenAdmin(ReadOnlyAdmin):
    """A model with pages of our own: their forms go to services, never to the model.

    reads, writes: the scopes that looking and changing need.
    """

    rank = 100
    reads: ClassVar[str]
    writes: ClassVar[str]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and self.may(request, self.reads)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_write_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and self.may(request, self.writes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_write_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_write_permission(request)

    def changeform_view(  # type: ignore[override]
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponseBase:
        if object_id is None:
            self.require_write(request)
            return self.add_page(request)
        found = self.found(request, object_id)
        if request.method == "POST":
            self.require_write(request)
        return self.page_of(request, found)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing is added here, unless a screen says how."""
        raise PermissionDenied

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        """What is changed of one object here: nothing, unless a screen says how."""
        if request.method == "POST":
            raise PermissionDenied
        return super().changeform_view(request, str(found.pk))

    def found(self, request: HttpRequest, object_id: Any) -> Any:
        """Raises Http404, PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.get_object(request, str(object_id))
        if found is None:
            raise Http404
        return found

    def require_write(self, request: HttpRequest) -> None:
        """Raises PermissionDenied."""
        if not self.has_write_permission(request):
            raise PermissionDenied

    def shown(
        self, request: HttpRequest, template: str, *, title: str, **context: Any
    ) -> TemplateResponse:
        """A page within the admin. `may_write` tells templates whether to offer changes."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "may_write": self.has_write_permission(request),
            "back": self.address("changelist"),
            "media": self.media,
            **context,
        }
        return TemplateResponse(request, template, context)

    def address(self, what: str, *args: Any) -> str:
        meta = self.model._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_{what}", args=args)
