"""An order is changed before any of it was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import LineRefunded, OrderNotEditable, PaymentCaptured
from domains.orders.models.commands.stepping import Stepping
from domains.orders.models.lines import OrderLine
from domains.orders.models.steps import OrderStep
from domains.orders.rules.accounts import SHIPPING, Less
from domains.orders.rules.history import By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import Limits, Money, StepKind, StepState

# What an edit decides of a line, and of the order besides its lines.
LINE_FIELDS = (
    "product_id",
    "variant_id",
    "sku",
    "name",
    "weight_g",
    "quantity",
    "unit_price_minor",
    "subtotal_minor",
    "discount_minor",
    "tax_class",
    "tax_rate",
    "tax_minor",
    "amount_minor",
)
ORDER_FIELDS = (
    "subtotal_minor",
    "discount_minor",
    "shipping_method",
    "shipping_name",
    "shipping_minor",
    "shipping_tax_minor",
    "shipping_tax_rate",
    "tax_minor",
    "total_minor",
    "prices_include_tax",
    "discounts",
    "promotions",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditPlan:
    """What an order becomes, as it was quoted.

    lines: those of the order that stay by their ids, and new ones by None, each with LINE_FIELDS;
    new_id: of a new one.
    order: ORDER_FIELDS. shipping_address, billing_address: None where they stay; the latter is
    empty where there is to be none of its own. method, token: by which a higher total is paid;
    return_url: where its customer comes back to from confirming that.
    """

    lines: Sequence[tuple[UUID | None, Mapping[str, Any]]]
    order: Mapping[str, Any]
    shipping_address: Mapping[str, Any] | None
    billing_address: Mapping[str, Any] | None
    method: str
    token: str
    return_url: str = ""

    @property
    def total_minor(self) -> int:
        return int(self.order["total_minor"])


class Editing(Stepping):
    class Meta:
        abstract = True

    # Commands

    def begin_edit(
        self,
        plan: EditPlan,
        *,
        reason: str,
        money: Money,
        limits: Limits,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Make of the order what the plan says. More than is authorised has to be paid anew.

        Raises OrderNotEditable, StepInProgress, LineRefunded, and PaymentCaptured where the total
        rises after money was taken.
        """
        self.check_editable()
        self._refuse_less_than_was_refunded(plan)
        less = self._less(plan, money)
        rises = self.pays_anew(plan, money)
        if rises and money.captured:
            raise PaymentCaptured(f"Order {self.number} is paid: a higher total is a new order.")
        step = self._begin(
            StepKind.EDIT,
            actor=actor,
            now=now,
            params={
                "lines": [
                    {"id": str(line_id) if line_id else None} | _as_json(fields)
                    for line_id, fields in plan.lines
                ],
                "order": dict(plan.order),
                "pays_anew": rises,
                "method": plan.method if rises else self.payment_method,
                "return_url": plan.return_url if rises else "",
                "old_payment_id": str(self.payment_id),
                "hold_changes": self._hold_changes(plan),
                "set_off": self._as_set_off(less, self._units_less(plan)),
            },
            takes=plan.total_minor if rises else 0,
            gives=less.gives,
            reason=reason,
            limits=limits,
        )
        addresses = {"shipping": plan.shipping_address, "billing": plan.billing_address}
        step.address = {
            what: dict(address) for what, address in addresses.items() if address is not None
        } or None
        step.payment_token = plan.token if rises else ""
        return step

    def check_editable(self) -> None:
        """Raises OrderNotEditable, StepInProgress."""
        if self.status != Status.CONFIRMED or any(line.fulfilled for line in self.lines):
            raise OrderNotEditable(f"Order {self.number} is {self.status}, or partly sent.")
        self._refuse_if_busy()

    def _refuse_less_than_was_refunded(self, plan: EditPlan) -> None:
        left = {line_id: fields["amount_minor"] for line_id, fields in plan.lines if line_id}
        for line in self.lines:
            if line.refunded_minor > left.get(line.id, 0):
                back = self._as_money(line.refunded_minor)
                raise LineRefunded(f"{back} of {line.sku} went back.")

    def apply_edit(self, step: OrderStep, *, is_invoiced: bool = False, now: datetime) -> None:
        """Goods and guarantee are there. What is too much is let go afterwards. is_invoiced:
        whether there is an invoice by now; then whom it is made out to stays."""
        before = {line.sku: line.standing for line in self.lines}
        total_before = self.total_minor
        kept = {line.id: line for line in self.lines}
        position = max(line.position for line in self.lines)
        lines: list[OrderLine] = []
        for planned in step.params["lines"]:
            fields = {name: planned[name] for name in LINE_FIELDS}
            fields["product_id"] = UUID(fields["product_id"])
            fields["variant_id"] = UUID(fields["variant_id"])
            if planned["id"] is None:
                position += 1
                if "new_id" in planned:  # a step that an earlier version began has none
                    fields["id"] = UUID(planned["new_id"])
                lines.append(OrderLine(position=position, **fields))
                continue
            line = kept[UUID(planned["id"])]
            for name, value in fields.items():
                setattr(line, name, value)
            line.cancelled = 0
            lines.append(line)
        self.lines = lines
        self._apply_set_off(step)
        for name in ORDER_FIELDS:  # what an earlier version did not plan stays as it is
            setattr(self, name, step.params["order"].get(name, getattr(self, name)))
        addresses = step.address or {}
        former = {}
        if "shipping" in addresses:
            former["shipping"] = self.shipping_address
            self.shipping_address = addresses["shipping"]
        if bills_otherwise := step.changes_billing and not is_invoiced:
            former["billing"] = self.billing_address or {}
            self.billing_address = addresses["billing"] or None
        step.former_address = former or None
        if step.params["pays_anew"]:
            self.payment_id = step.id
            self.payment_method = step.params["method"]
        step.payment_token = ""
        step.state = StepState.APPLIED
        self.note(
            "edited",
            actor=step.actor,
            at=now,
            reason=step.reason,
            step_id=str(step.id),
            before=before,
            after={line.sku: line.standing for line in lines},
            total_before_minor=total_before,
            total_minor=self.total_minor,
            address_changed="shipping" in addresses,
            billing_address_changed=bills_otherwise,
        )
        self._tell(reason=step.reason, now=now, total_change_minor=self.total_minor - total_before)

    def finish_edit(self, step: OrderStep, *, refusal: str = "", now: datetime) -> None:
        """What was too much is let go; or the gateway would not, and staff have to."""
        if refusal:
            step.refusal = refusal
            self.note("refund_refused", actor=step.actor, at=now, refusal=refusal)
        else:
            self._give_back(step)
        self._end(step, StepState.DONE, now)

    def pays_anew(self, plan: EditPlan, money: Money) -> bool:
        """Whether the plan costs more than was taken for the order, or can be."""
        return not self._account(money).secures(plan.total_minor, self._less(plan, money))

    def _less(self, plan: EditPlan, money: Money) -> Less:
        lines = [{"id": line_id} | dict(fields) for line_id, fields in plan.lines]
        return self._less_as(lines, plan.order, money)

    def _gives_by_now(self, step: OrderStep, money: Money) -> int:
        if step.kind == StepKind.EDIT:
            return self._less_as(step.params["lines"], step.params["order"], money).gives
        return super()._gives_by_now(step, money)

    def _less_as(
        self, lines: Sequence[Mapping[str, Any]], order: Mapping[str, Any], money: Money
    ) -> Less:
        worth = {str(fields["id"]): int(fields["amount_minor"]) for fields in lines}
        worth[SHIPPING] = int(order["shipping_minor"])
        return self._account(money).cheaper(worth, int(order["total_minor"]))

    def _units_less(self, plan: EditPlan) -> dict[UUID, int]:
        left = {line_id: fields["quantity"] for line_id, fields in plan.lines if line_id}
        return {line.id: max(line.standing - left.get(line.id, 0), 0) for line in self.lines}

    def _hold_changes(self, plan: EditPlan) -> list[dict[str, Any]]:
        """By how much more or less of each variant is held."""
        deltas: dict[str, dict[str, Any]] = {}
        for line in self.lines:
            change = deltas.setdefault(str(line.variant_id), {"sku": line.sku, "delta": 0})
            change["delta"] -= line.standing
        for _, fields in plan.lines:
            variant = str(fields["variant_id"])
            change = deltas.setdefault(variant, {"sku": fields["sku"], "delta": 0})
            change["delta"] += fields["quantity"]
        return [
            {"variant_id": variant_id} | change
            for variant_id, change in deltas.items()
            if change["delta"]
        ]


def _as_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, UUID) else value for name, value in fields.items()
    }
