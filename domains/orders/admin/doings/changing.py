"""An order becomes another one, or is cancelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from django import forms

from domains.orders.admin.doings.base import Comes, Doing, approval, ended, may, units_of
from domains.orders.admin.doings.money import Refund
from domains.orders.admin.fields import (
    CANCELLED_FOR,
    address_fields,
    address_said,
    billing_fields,
    billing_said,
    choice_of_reasons,
    units_field,
    units_said,
)
from domains.orders.rules.invoices import address_lines, invoice_lines
from domains.orders.services import cancelling, editing, invoicing, previewing
from domains.pricing import public as pricing
from infrastructure.form_fields import LineField


class Cancel(Doing):
    what, title, button, scope = "cancel", "Cancel", "Cancel items", "orders.cancel"

    def fields(self) -> dict[str, forms.Field]:
        return {
            **units_of(self.order.lines, {line.id: line.open for line in self.order.lines}),
            "reason": choice_of_reasons(*CANCELLED_FOR),
            "refund": forms.BooleanField(
                required=False,
                disabled=not may(self.user, Refund),
                label="Give money back",
                help_text="What was taken for them already. Without it nothing paid is cancelled.",
            ),
        }

    def comes_to(self) -> Comes:
        lines = self._lines()
        preview = previewing.cancellation(
            order_id=self.order.id,
            lines=lines,
            refund=self.said["refund"],
            by=self.by,
            now=self.now,
        )
        whole = lines is None or self.order.takes_all(lines)
        if whole:
            sentences: tuple[str, ...] = ("The whole order is cancelled, and its goods are free.",)
        else:
            sentences = ("These are cancelled, and free for others:", *self.told(lines or {}))
            sentences += (f"The order then costs {preview.total}.",)
        back = f"{preview.gives} are given back." if preview.gives.amount_minor else ""
        return Comes(sentences=(*sentences, *filter(None, [back])), warnings=approval(preview))

    def carry_out(self) -> str:
        order, begun = cancelling.cancel(
            order_id=self.order.id,
            reason=self.said["reason"],
            lines=self._lines(),
            refund=self.said["refund"],
            by=self.by,
            key=self.key,
            now=self.now,
        )
        if begun is not None:
            return ended(begun, "cancelled")
        return "cancelled" if order.status == "CANCELLED" else "its cancellation is under way"

    def _lines(self) -> dict[UUID, int] | None:
        """None for an order that was not decided: it can only be cancelled whole."""
        return None if self.order.status == "PENDING" else units_said(self.said)


class Edit(Doing):
    what, title, button, scope = "edit", "Edit", "Change the order", "orders.edit"

    def fields(self) -> dict[str, forms.Field]:
        fields: dict[str, forms.Field] = {
            f"units_{line.id}": units_field(
                1_000_000, label=f"{line.sku}, {line.name}", initial=line.standing
            )
            for line in self.order.lines
        }
        return {
            **fields,
            "sku": LineField(required=False, max_length=64, label="Another SKU"),
            "quantity": units_field(1_000_000, label="How many of it", initial=1, required=False),
            "shipping_method": forms.ChoiceField(
                required=False,
                choices=_with(
                    (self.order.shipping_method, self.order.shipping_name or "The usual one"),
                    pricing.open_shipping_methods(),
                ),
                initial=self.order.shipping_method,
                label="Shipping",
            ),
            **address_fields(self.order.shipping_address),
            **self._billing_fields(),
            "token_of_payment": LineField(
                required=False,
                max_length=200,
                label="Means of payment",
                help_text="The gateway's token, where the order gets dearer than was authorised.",
            ),
            "reason": choice_of_reasons("customer_request", "staff_error", "out_of_stock"),
        }

    def comes_to(self) -> Comes:
        changes = self._edit()
        preview = previewing.edit(order_id=self.order.id, changes=changes, by=self.by, now=self.now)
        sentences = [f"The order costs {preview.total} then, and {self.order.total} now."]
        if preview.pays_anew:
            sentences.append(f"{preview.takes} are authorised anew; the earlier payment is let go.")
        if preview.gives.amount_minor:
            sentences.append(f"{preview.gives} are given back.")
        sentences += self._told_of(changes)
        return Comes(sentences=tuple(sentences), warnings=approval(preview))

    def _told_of(self, changes: editing.Edit) -> Iterator[str]:
        names = {line.id: line for line in self.order.lines}
        for change in changes.lines:
            if change.line_id is None:
                yield f"{change.quantity:,} × {change.sku} are added."
            else:
                line = names[change.line_id]
                yield f"{change.quantity:,} × {line.sku}, {line.name}, and not {line.standing:,}."
        if changes.shipping_method is not None:
            yield f"Shipped by {changes.shipping_method or 'the usual method'}."
        if changes.shipping_address is not None:
            yield f"Delivered to {', '.join(address_lines(changes.shipping_address))}."
        if changes.billing_address is not None:
            to = ", ".join(invoice_lines(changes.billing_address)) or "whom the goods go to"
            yield f"The invoice will be made out to {to}."

    def carry_out(self) -> str:
        begun = editing.edit(
            order_id=self.order.id,
            changes=self._edit(),
            reason=self.said["reason"],
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return ended(begun, "changed")

    def _edit(self) -> editing.Edit:
        changed = [
            editing.LineEdit(line_id=line.id, quantity=self.said[f"units_{line.id}"] or 0)
            for line in self.order.lines
            if (self.said[f"units_{line.id}"] or 0) != line.standing
        ]
        if self.said["sku"]:
            quantity = self.said["quantity"] or 1
            changed.append(editing.LineEdit(sku=self.said["sku"].strip(), quantity=quantity))
        address: dict[str, str] | None = address_said(self.said)
        if address == {name: self.order.shipping_address.get(name, "") for name in address or ()}:
            address = None
        billing = self._billing(delivered_to=address or self.order.shipping_address)
        shipping = self.said["shipping_method"]
        if shipping == self.order.shipping_method:
            shipping = None
        return editing.Edit(
            lines=changed,
            shipping_address=address,
            billing_address=billing,
            shipping_method=shipping,
            token=self.said["token_of_payment"],
            return_url=self.return_url,
        )

    def _billing_fields(self) -> dict[str, forms.Field]:
        """Whom the invoice is made out to, as long as there is none."""
        if invoicing.is_invoiced(self.order.id):
            return {}
        fields = billing_fields(self.order.billing_address or {})
        for field in fields.values():
            field.label = f"Invoice to: {field.label}"
        return fields

    def _billing(self, *, delivered_to: Mapping[str, str]) -> dict[str, str] | None:
        """None where it stays as it is."""
        if "billing_name" not in self.said:
            return None
        before = self.order.billing_address or {}
        wanted = billing_said(self.said, delivered_to=delivered_to)
        if wanted is None:
            return {} if before else None
        wanted["phone"] = before.get("phone", "")  # which no invoice shows
        return None if wanted == {name: before.get(name, "") for name in wanted} else wanted


def _with(kept: tuple[str, str], offered: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is offered, and what is chosen already though it may be offered no more."""
    return [*([] if kept[0] in dict(offered) else [kept]), *offered]
