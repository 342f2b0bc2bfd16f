"""All that the page of a product says, in one: sent together, judged together, saved together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domains.products.admin.product_forms import ProductForm, VariantForm
from domains.products.models import Product, ProductType
from domains.products.queries.staff import StaffVariant
from infrastructure.errors import DomainError
from infrastructure.screens import ServiceForm


class Sheet:
    """All that the page of a product says: the product, its variants, and those to be added."""

    def __init__(
        self,
        data: Any,
        *,
        types: Sequence[ProductType],
        product: Product | None = None,
        known: Mapping[str, StaffVariant] | None = None,
    ) -> None:
        self.form = ProductForm(data, types=types, product=product)
        chosen = self.form.chosen_type
        self.variants = [
            VariantForm(
                data,
                prefix=f"v{variant.pk.hex}",
                product_type=chosen,
                variant=variant,
                known=(known or {}).get(variant.sku),
            )
            for variant in (product.variants if product else ())
            # One that came after the page was made is not on it; the version tells of that.
            if data is None or f"v{variant.pk.hex}-unit" in data
        ]
        asked = [] if data is None else data.getlist("new_variants")
        if data is None and product is None:
            asked = ["new0"]
        self.added = [
            VariantForm(data, prefix=prefix, product_type=chosen)
            for prefix in asked
            if data is None or product is None or data.get(f"{prefix}-sku", "").strip()
        ]
        self.blank = VariantForm(None, prefix="new__n__", product_type=chosen)
        if data is not None and "reload" in data:
            for form in self.forms:
                form.leave_unjudged()
        self.next_number = 1 + max(
            (int(prefix[3:]) for prefix in asked if prefix[3:].isdigit()), default=-1
        )

    @property
    def forms(self) -> list[ServiceForm]:
        return [self.form, *self.variants, *self.added]

    def is_valid(self) -> bool:
        # All of them, so that everything that is wrong is shown at once.
        return {form.is_valid() for form in self.forms} == {True}

    @property
    def has_errors(self) -> bool:
        return any(form.errors for form in self.forms if form.is_bound)

    @property
    def media(self) -> Any:
        return self.form.media

    @property
    def pointers(self) -> dict[str, str]:
        """Where faults of variants that there are shall point to."""
        return {
            form.variant.sku: f"/{form.prefix}"
            for form in self.variants
            if form.variant is not None
        }

    def refuse(self, refusal: DomainError) -> None:
        """Show each fault in the form that it is about."""
        if not refusal.errors:
            self._about(refusal).refuse(refusal)
        for error in refusal.errors:
            first, _, rest = error.pointer.strip("/").partition("/")
            form: ServiceForm = self.form
            place = error.pointer.strip("/")
            if first == "variants" and rest.partition("/")[0].isdigit():
                number, _, place = rest.partition("/")
                form = self.added[int(number)] if int(number) < len(self.added) else self.form
            else:
                for other in self.variants:
                    if other.prefix == first:
                        form, place = other, rest
            form.fault(place, error.code, error.detail)

    def _about(self, refusal: DomainError) -> ServiceForm:
        """The variant that a refusal names by its SKU, or else the product."""
        words = refusal.detail.replace(".", " ").split()
        if refusal.code in ("sku_taken", "stale_version"):
            for form in self.added:
                if form.cleaned_data.get("sku", " ") in refusal.detail:
                    return form
            for form in self.variants:
                if form.variant is not None and form.variant.sku in words:
                    return form
        return self.form
