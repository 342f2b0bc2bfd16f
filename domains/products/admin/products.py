"""Products: the list, the page of one, and a new one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.html import format_html

from domains.products.admin import files, pictures, product_bulk, product_prices
from domains.products.admin.bulk import ask_and_do
from domains.products.admin.fields import actor_of, thumbnail
from domains.products.admin.sheet import Sheet
from domains.products.models import Product
from domains.products.queries import staff
from domains.products.queries.media import thumbnails
from domains.products.queries.types import product_types
from domains.products.services import products, sheets
from infrastructure import clock
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.screens import SHORTCUTS, ScreenAdmin, Shortcut

SHORTCUTS += [
    Shortcut(
        title="Products", url="admin:products_product_changelist", scope="catalogue.read", rank=10
    ),
    Shortcut(
        title="New product", url="admin:products_product_add", scope="catalogue.write", rank=11
    ),
    Shortcut(
        title="Categories",
        url="admin:products_category_changelist",
        scope="catalogue.read",
        rank=30,
    ),
]
MANY_SKUS = 3


class ProductList(ChangeList):
    """The rows of a page with all that is shown of them: a few statements, however many rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        ids = [product.pk for product in self.result_list]
        pictures = thumbnails(ids) if ids else {}
        known = staff.staff_products(ids, currency=settings.DEFAULT_CURRENCY, now=clock.now())
        for product in self.result_list:
            product.thumbnail = pictures.get(product.pk)
            product.staff = known[product.pk]


class CategoryFilter(admin.SimpleListFilter):
    """Goes down the tree a level at a time, however many categories there are."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = staff.category_choices(request.GET.get("category"))
        path = [(slug, "› " * depth + name) for depth, (slug, name) in enumerate(found.path)]
        indent = "› " * len(path)
        return [*path, *((slug, indent + name) for slug, name in found.below)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        slug = self.value()
        return staff.within_category(queryset, slug) if slug else queryset


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("some", "Something left"),
            ("none", "Sold out"),
            ("low", "Running low"),
            ("short", "Promised beyond the stock"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        return staff.with_stock(queryset, self.value() or "") if self.value() else queryset


class StatusFilter(admin.SimpleListFilter):
    """What is archived is out of the way, unless it is asked for."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("active", "On sale"),
            ("draft", "Drafts"),
            ("archived", "Archived"),
            ("any", "All"),
        ]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "All but archived"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        match self.value():
            case "any":
                return queryset
            case None:
                return queryset.exclude(status=Product.Status.ARCHIVED)
            case status:
                return queryset.filter(status=status)


@admin.register(Product)
class ProductAdmin(ScreenAdmin):
    rank = 10
    reads, writes = "catalogue.read", "catalogue.write"
    list_display = (
        *("picture", "name", "state", "skus", "price", "stock", "categories", "updated"),
    )
    list_display_links = ("picture", "name")
    list_filter = (StatusFilter, StockFilter, "product_type", CategoryFilter)
    list_per_page = 50
    list_max_show_all = 200
    search_fields = ("name",)
    search_help_text = "Words of the name, or a SKU or its beginning, a barcode, an external id."
    ordering = ("name", "id")
    actions = ("change_status", "put_into_category", "take_out_of_category", "change_prices")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return ProductList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).select_related("product_type")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return staff.products_found(queryset, search_term), False

    # Columns

    @admin.display(description="")
    def picture(self, product: Any) -> str:
        return thumbnail(product.thumbnail)

    @admin.display(description="status", ordering="status")
    def state(self, product: Product) -> str:
        return product_bulk.tag(product.status)

    @admin.display(description="SKUs")
    def skus(self, product: Any) -> str:
        found = [variant.sku for variant in product.staff.sold]
        more = f" and {len(found) - MANY_SKUS} more" if len(found) > MANY_SKUS else ""
        return ", ".join(found[:MANY_SKUS]) + more

    @admin.display
    def price(self, product: Any) -> str:
        prices = product.staff.prices
        if not prices:
            return "–"
        *lowest, highest = prices
        return " – ".join([*(money.amount_text for money in lowest), str(highest)])

    @admin.display(description="available")
    def stock(self, product: Any) -> str:
        left = product.staff.left
        short = any(variant.left < 0 for variant in product.staff.sold)
        if left > 0 and not short:
            return f"{left:,}"
        return format_html('<span class="bad">{}</span>', f"{left:,}")

    @admin.display(description="categories and type")
    def categories(self, product: Any) -> str:
        names = ", ".join(product.staff.categories)
        if product.product_type is None:
            return names
        kind = product.product_type.name
        return format_html('{}<div class="quiet">{}</div>', names, kind)

    @admin.display(description="updated", ordering="updated_at")
    def updated(self, product: Product) -> str:
        return f"{product.updated_at:%d %b %Y}"

    # Pages

    def get_urls(self) -> list[Any]:
        def own(route: str, view: Any, name: str) -> Any:
            wrapped = self.admin_site.admin_view(lambda *a, **k: view(self, *a, **k))
            return path(route, wrapped, name=f"products_{name}")

        return [
            own("import/", files.import_page, "import"),
            own("export/", files.export_page, "export"),
            own("files/<uuid:operation_id>/", files.operation_page, "file"),
            own("<uuid:product_id>/pictures/", pictures.pictures_page, "product_pictures"),
            own("<uuid:product_id>/prices/", product_prices.prices_page, "product_prices"),
            *super().get_urls(),
        ]

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        posted = request.POST if request.method == "POST" else None
        sheet = Sheet(posted, types=list(product_types().order_by("name")))
        if posted is not None and "reload" not in posted and sheet.is_valid():
            variants = [form.new_variant for form in sheet.added]
            try:
                product_id = products.create_product(
                    product=sheet.form.new_product(variants),
                    actor_id=actor_of(request),
                    now=clock.now(),
                )
            except DomainError as refusal:
                sheet.refuse(refusal)
            else:
                messages.success(request, f"{sheet.form.cleaned_data['name']} is created.")
                return HttpResponseRedirect(self.address("change", product_id))
        return self.shown(
            request,
            "products/product.html",
            title="New product",
            sheet=sheet,
            media=self.media + sheet.media,
        )

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        posted = request.POST if request.method == "POST" else None
        product = whole(found.pk)
        known = staff.staff_products(
            [product.pk], currency=settings.DEFAULT_CURRENCY, now=clock.now()
        )[product.pk]
        sheet = Sheet(
            posted,
            types=list(product_types().order_by("name")),
            product=product,
            known={variant.sku: variant for variant in known.variants},
        )
        stale = False
        if posted is not None and "reload" not in posted and sheet.is_valid():
            try:
                self._save(request, product.pk, sheet)
            except DomainError as refusal:
                stale = isinstance(refusal, ConcurrentModification)
                sheet.refuse(refusal)
            else:
                messages.success(request, f"{sheet.form.cleaned_data['name']} is saved.")
                return HttpResponseRedirect(request.get_full_path())
        return self.shown(
            request,
            "products/product.html",
            title=product.name,
            product=product,
            tabs=tabs(product, "details"),
            sheet=sheet,
            stale=stale,
            may_write=self.has_write_permission(request)
            and product.status != Product.Status.ARCHIVED,
            media=self.media + sheet.media,
        )

    def _save(self, request: HttpRequest, product_id: UUID, sheet: Sheet) -> None:
        changes = sheet.form.changes
        changes["variants"] = {
            form.variant.sku: form.changes for form in sheet.variants if form.variant is not None
        }
        edits = [form.price_edit for form in sheet.variants]
        sheets.save_sheet(
            product_id=product_id,
            version=sheet.form.cleaned_data["version"] or 0,
            changes=changes,
            added=[form.new_variant for form in sheet.added],
            prices=[edit for edit in edits if edit is not None],
            pointers=sheet.pointers,
            actor_id=actor_of(request),
            now=clock.now(),
        )

    # What is done with many: first a page that asks what, then one that shows what would change.

    @admin.action(description="Change the status…", permissions=["write"])
    def change_status(self, request: HttpRequest, queryset: QuerySet[Product]) -> Any:
        return ask_and_do(self, request, queryset, product_bulk.Statuses())

    @admin.action(description="Put into a category…", permissions=["write"])
    def put_into_category(self, request: HttpRequest, queryset: QuerySet[Product]) -> Any:
        return ask_and_do(self, request, queryset, product_bulk.Listings(add=True))

    @admin.action(description="Take out of a category…", permissions=["write"])
    def take_out_of_category(self, request: HttpRequest, queryset: QuerySet[Product]) -> Any:
        return ask_and_do(self, request, queryset, product_bulk.Listings(add=False))

    @admin.action(description="Change prices by percent…", permissions=["write"])
    def change_prices(self, request: HttpRequest, queryset: QuerySet[Product]) -> Any:
        return ask_and_do(self, request, queryset, product_bulk.Prices())


def whole(product_id: UUID) -> Product:
    """A product as its page shows it, in a fixed number of statements."""
    found: Product = (
        Product.objects.select_related("product_type")
        .prefetch_related(
            "variant_rows", "category_rows__category", "text_rows", "product_type__attribute_rows"
        )
        .get(pk=product_id)
    )
    return found


def tabs(product: Product, current: str) -> list[tuple[str, str, bool]]:
    """The pages of a product: titles, addresses, and which one is open."""
    pages = [
        ("details", "Product and variants", "product_change"),
        ("pictures", "Pictures", "product_pictures"),
        ("prices", "Prices and sales", "product_prices"),
    ]
    return [
        (title, reverse(f"admin:products_{name}", args=[product.pk]), key == current)
        for key, title, name in pages
    ]
