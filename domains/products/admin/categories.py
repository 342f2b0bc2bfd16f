"""The tree of categories: looked at, extended, re-ordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from domains.products.admin.fields import (
    ABOVE,
    LongTextField,
    category_field,
    external_id_field,
    initial_texts,
    other_locales,
    path_of,
    slug_field,
    text_fields,
    told_in,
)
from domains.products.models import Category
from domains.products.queries.categories import CategoryNode, category_shown, category_tree
from domains.products.services import categories
from domains.products.services.categories import NewCategory
from infrastructure import clock
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.screens import ScreenAdmin, ServiceForm, version_in

# A tree of no more is shown with all its branches open.
FEW = 60


class CategoryForm(ServiceForm):
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = LineField(max_length=200)
    slug = slug_field(
        required=False, help_text="Its part of the address. Old ones go on leading here."
    )
    external_id = external_id_field()
    description = LongTextField()
    seo_title = LineField(required=False, max_length=200, label="Title for search engines")
    seo_description = LineField(
        required=False, max_length=500, label="Description for search engines"
    )

    fields_of_codes = {
        "slug_taken": "slug",
        "invalid_slug": "slug",
        "external_id_taken": "external_id",
    }

    def __init__(self, data: Any, **options: Any) -> None:
        super().__init__(data, **options)
        for locale in other_locales():
            self.fields |= text_fields(locale)

    @property
    def basics(self) -> list[Any]:
        names = ("name", "slug", "external_id", "description", "seo_title", "seo_description")
        return [self[name] for name in names]

    @property
    def locales(self) -> Iterator[tuple[str, bool, list[Any]]]:
        for locale in other_locales():
            fields = [self[name] for name in text_fields(locale)]
            yield locale, any(field.value() or field.errors for field in fields), fields


class NewCategoryForm(CategoryForm):
    parent = category_field(required=False, label="Below", help_text="Empty: at the top.")

    field_order = ("version", "parent", "name")

    fields_of_codes = {
        **CategoryForm.fields_of_codes,
        "unknown_category": "parent",
        "category_too_deep": "parent",
    }

    @property
    def basics(self) -> list[Any]:
        return [self["parent"], *super().basics]


class MoveForm(ServiceForm):
    where = forms.ChoiceField(
        choices=[
            ("into", "into, as the last one"),
            ("before", "before"),
            ("after", "behind"),
            ("top", "to the top of the tree, as the last one"),
        ]
    )
    category = category_field(required=False, label="Which category")
    version = forms.IntegerField(widget=forms.HiddenInput)

    fields_of_codes = {
        "category_cycle": "category",
        "category_too_deep": "category",
        "unknown_category": "category",
    }

    def clean(self) -> None:
        said = self.cleaned_data
        if said.get("where") != "top" and said.get("category") is None:
            self.add_error("category", "Which one?")

    @property
    def changes(self) -> Any:
        """A CategoryEdit."""
        where, beside = self.cleaned_data["where"], self.cleaned_data["category"]
        match where:
            case "top":
                return {"parent": None}
            case "into":
                return {"parent": beside.slug}
            case _:
                parent = beside.parent
                return {"parent": None if parent is None else parent.slug, where: beside.slug}

    def fault(self, place: str, code: str, detail: str) -> None:
        super().fault("category" if place in ("parent", "before", "after") else place, code, detail)


@admin.register(Category)
class CategoryAdmin(ScreenAdmin):
    rank = 30
    reads, writes = "catalogue.read", "catalogue.write"
    search_fields = ("name", "=slug", "=external_id")
    ordering = ("name", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).select_related(*ABOVE)

    def describe(self, selected: Any) -> str:
        return path_of(selected)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The whole tree in one statement, or those that a search finds with the way to them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        nodes = category_tree(locale=settings.DEFAULT_LOCALE)
        words = request.GET.get("q", "").strip().lower()
        total = sum(1 for _ in _walk(nodes))
        return self.shown(
            request,
            "products/categories.html",
            title="Categories",
            nodes=nodes,
            words=request.GET.get("q", ""),
            found=_found(nodes, words) if words else None,
            total=total,
            is_small=total <= FEW,
            new=self.address("add"),
        )

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        below = Category.objects.filter(slug=request.GET.get("parent", "")).first()
        form = NewCategoryForm(
            request.POST if request.method == "POST" else None, initial={"parent": below}
        )
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                categories.add_category(
                    category=NewCategory(
                        name=said["name"],
                        parent=said["parent"].slug if said["parent"] else None,
                        slug=said["slug"] or None,
                        external_id=said["external_id"] or None,
                        description=said["description"],
                        seo_title=said["seo_title"],
                        seo_description=said["seo_description"],
                        texts=told_in(said),
                    ),
                    now=clock.now(),
                )
                messages.success(request, f"{said['name']} is created.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(
            request,
            "products/category.html",
            title="New category",
            form=form,
            media=self.media + form.media,
        )

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        posted = request.POST if request.method == "POST" else None
        what = "" if posted is None else posted.get("do", "save")
        form = CategoryForm(posted if what == "save" else None, initial=_initial(found))
        move = MoveForm(
            posted if what == "move" else None, prefix="move", initial={"version": found.version}
        )
        stale = False
        try:
            done = self._carry_out(what, found, posted, form, move)
        except DomainError as refusal:
            stale = isinstance(refusal, ConcurrentModification)
            if what == "remove":
                messages.error(request, refusal.detail)
            else:
                (move if what == "move" else form).refuse(refusal)
        else:
            if done:
                messages.success(request, done)
                gone = what == "remove"
                return HttpResponseRedirect(
                    self.address("changelist") if gone else request.get_full_path()
                )
        shown: Any = category_shown(str(found.pk), locale=settings.DEFAULT_LOCALE)
        return self.shown(
            request,
            "products/category.html",
            title=found.name,
            category=found,
            shown=shown,
            form=form,
            move=move,
            stale=stale,
            listed=f"{reverse('admin:products_product_changelist')}?category={found.slug}",
            add_below=f"{self.address('add')}?parent={found.slug}",
            media=self.media + move.media,
        )

    def _carry_out(
        self, what: str, found: Category, posted: Any, form: CategoryForm, move: MoveForm
    ) -> str:
        """What was done, as a sentence; empty where nothing was. Raises DomainError."""
        now = clock.now()
        if what == "remove":
            categories.remove_category(category_id=found.pk, version=version_in(posted))
            return f"{found.name} is removed."
        if what == "move" and move.is_valid():
            categories.edit_category(
                category_id=found.pk,
                version=move.cleaned_data["version"],
                now=now,
                **move.changes,
            )
            return f"{found.name} is moved."
        if what == "save" and form.is_valid():
            said = form.cleaned_data
            changes: Any = {"slug": said["slug"]} if said["slug"] else {}
            categories.edit_category(
                category_id=found.pk,
                version=said["version"],
                now=now,
                name=said["name"],
                external_id=said["external_id"] or None,
                description=said["description"],
                seo_title=said["seo_title"],
                seo_description=said["seo_description"],
                texts=told_in(said),
                **changes,
            )
            return f"{said['name']} is saved."
        return ""


def _initial(category: Category) -> dict[str, Any]:
    names = ("version", "name", "slug", "description", "seo_title", "seo_description")
    return {
        **{name: getattr(category, name) for name in names},
        "external_id": category.external_id or "",
        **initial_texts(category.texts),
    }


def _walk(
    nodes: Sequence[CategoryNode], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], CategoryNode]]:
    for node in nodes:
        yield above, node
        yield from _walk(node.children, (*above, node.name))


def _found(nodes: Sequence[CategoryNode], words: str) -> list[tuple[str, UUID, CategoryNode]]:
    return [
        (" › ".join((*above, node.name)), node.id, node)
        for above, node in _walk(nodes)
        if words in node.name.lower() or words in node.slug
    ]
