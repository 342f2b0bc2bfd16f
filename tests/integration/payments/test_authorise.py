from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from domains.payments import gateways, public, services, tasks
from domains.payments.errors import PaymentMismatch, PaymentTokenRequired, UnknownPaymentMethod
from domains.payments.models import Payment
from infrastructure import clock
from infrastructure.database.contexts import alias_of, connection_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.factories import payments


def told(payment_id: object) -> list[str]:
    rows = OutboxMessage.objects.using(alias_of("payments")).filter(key=str(payment_id))
    return list(rows.order_by("sequence").values_list("name", flat=True))


@pytest.mark.django_db
def test_a_new_payment_costs_one_statement_before_and_one_after_the_gateway(
    now: datetime, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2, using=alias_of("payments")) as statements:
        outcome = public.authorise(**payments.request(now))

    assert outcome.status == "AUTHORISED"
    texts = [statement["sql"] for statement in statements.captured_queries]
    assert [text[:44] for text in texts] == [
        'WITH root AS (INSERT INTO "payments_payment"'[:44],
        'WITH root AS (UPDATE "payments_payment" t SET'[:44],
    ]


@pytest.mark.django_db
def test_the_request_is_committed_as_sent_before_the_gateway_hears_of_it(
    now: datetime, gateway: ScriptedGateway
) -> None:
    asked = payments.request(now)
    seen: list[Any] = []

    def look() -> None:
        stored = Payment.objects.get(pk=asked["payment_id"])
        seen.extend([stored.status, [o.state for o in stored.operations]])

    gateway.before_answer = look
    public.authorise(**asked)

    assert seen == ["PENDING", ["SENT"]]


@pytest.mark.django_db
def test_an_authorisation_is_stored_and_told(now: datetime) -> None:
    asked = payments.request(now)

    public.authorise(**asked)

    stored = Payment.objects.get(pk=asked["payment_id"])
    (operation,) = stored.operations
    assert (stored.status, stored.authorised_minor, stored.captured_minor) == (
        "AUTHORISED",
        1_999,
        0,
    )
    assert (operation.kind, operation.state, operation.amount_minor, operation.attempts) == (
        "AUTHORISE",
        "SUCCEEDED",
        1_999,
        1,
    )
    assert operation.gateway_reference == f"local_{operation.id.hex}"
    assert told(stored.id) == ["payments.payment_authorised"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "code"),
    [("tok_declined", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")],
)
def test_a_decline_is_stored_and_told_with_its_code(now: datetime, token: str, code: str) -> None:
    asked = payments.request(now, token=token)

    outcome = public.authorise(**asked)

    assert (outcome.status, outcome.decline_code) == ("DECLINED", code)
    assert outcome.is_released
    assert told(outcome.payment_id) == ["payments.payment_declined"]


@pytest.mark.django_db
def test_no_token_outlives_its_outcome(now: datetime) -> None:
    for token in ("tok_visa", "tok_declined"):
        public.authorise(**payments.request(now, token=token))

    assert set(Payment.objects.values_list("token", flat=True)) == {""}
    payloads = OutboxMessage.objects.using(alias_of("payments")).values_list("payload", flat=True)
    assert not any("tok_" in payload for payload in payloads)


@pytest.mark.django_db
def test_asking_twice_is_asking_once(now: datetime, gateway: ScriptedGateway) -> None:
    asked = payments.request(now)

    first = public.authorise(**asked)
    again = public.authorise(**asked | {"token": "tok_another"})

    assert first == again
    assert len(gateway.sent) == 1
    assert told(first.payment_id) == ["payments.payment_authorised"]


@pytest.mark.django_db
def test_an_id_cannot_be_used_for_another_amount(now: datetime, gateway: ScriptedGateway) -> None:
    asked = payments.request(now)
    public.authorise(**asked)

    with pytest.raises(PaymentMismatch):
        public.authorise(**payments.request(now, payment_id=asked["payment_id"], amount_minor=1))

    assert len(gateway.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_payment(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    asked = payments.request(now)

    outcomes = in_threads(*[lambda: public.authorise(**asked)] * 20)

    assert {outcome.status for outcome in outcomes} == {"AUTHORISED"}
    stored = Payment.objects.get(pk=asked["payment_id"])
    assert len(stored.operations) == 1
    assert gateway.authorisations == 1
    assert told(stored.id) == ["payments.payment_authorised"]


@pytest.mark.django_db
def test_a_silent_gateway_leaves_the_payment_unknown_until_it_answers(
    now: datetime, gateway: ScriptedGateway
) -> None:
    asked = payments.request(now)
    gateway.is_silent = True

    assert public.authorise(**asked).status == "UNKNOWN"
    assert services.resolve(payment_id=asked["payment_id"], now=now).status == "UNKNOWN"
    gateway.is_silent = False
    resolved = services.resolve(payment_id=asked["payment_id"], now=now)

    assert resolved.status == "AUTHORISED"
    assert len(gateway.sent) == 3
    assert len({(r.key, r.token) for r in gateway.sent}) == 1  # type: ignore[union-attr]
    assert told(resolved.id) == ["payments.payment_authorised"]


@pytest.mark.django_db
def test_authorising_again_resends_what_is_unknown(now: datetime, gateway: ScriptedGateway) -> None:
    asked = payments.request(now)
    gateway.is_silent = True
    public.authorise(**asked)
    gateway.is_silent = False

    assert public.authorise(**asked).status == "AUTHORISED"
    assert gateway.authorisations == 1


@pytest.mark.django_db
def test_a_payment_whose_process_died_is_found_and_resolved(
    now: datetime, gateway: ScriptedGateway
) -> None:
    asked = payments.request(now)

    def die() -> None:
        raise KeyboardInterrupt

    gateway.before_answer = die
    with pytest.raises(KeyboardInterrupt):
        public.authorise(**asked)

    assert services.resolve_unfinished(now=now + timedelta(seconds=9)) == 0
    assert services.resolve_unfinished(now=now + timedelta(seconds=10)) == 1
    assert public.payment_states([asked["payment_id"]])[asked["payment_id"]].status == "AUTHORISED"


@pytest.mark.django_db
def test_recovery_leaves_a_dead_gateway_alone_after_three_silences(
    now: datetime, gateway: ScriptedGateway, settings: Any
) -> None:
    settings.PAYMENT_CIRCUIT_FAILURES = 50
    gateway.is_silent = True
    for _ in range(5):
        public.authorise(**payments.request(now))
    gateway.sent.clear()

    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 0
    assert len(gateway.sent) == 3
    gateway.is_silent = False
    assert services.resolve_unfinished(now=now + timedelta(minutes=2)) == 5


@pytest.mark.django_db
def test_a_payment_that_cannot_be_resolved_waits_and_keeps_no_other_from_its_outcome(
    now: datetime,
    gateway: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway.is_silent = True
    poison, fine = [public.authorise(**payments.request(now)).payment_id for _ in range(2)]
    gateway.is_silent = False
    with connection_of("payments").cursor() as cursor:
        cursor.execute("UPDATE payments_payment SET gateway = 'gone' WHERE id = %s", [poison])
    later = now + timedelta(minutes=1)

    with capture_logs() as logs:
        assert services.resolve_unfinished(now=later) == 1
        assert services.resolve_unfinished(now=later) == 0

    assert {key: state.status for key, state in public.payment_states([poison, fine]).items()} == {
        poison: "UNKNOWN",
        fine: "AUTHORISED",
    }
    (told_of,) = [line for line in logs if line["event"] == "payment_not_resolved"]
    assert told_of["payment_id"] == str(poison)
    assert Payment.objects.get(pk=poison).retry_at == later + timedelta(minutes=5)
    monkeypatch.setitem(gateways.ADAPTERS, "gone", lambda: gateway)
    assert services.resolve_unfinished(now=later + timedelta(minutes=5)) == 1
    assert public.payment_states([poison])[poison].status == "AUTHORISED"


@pytest.mark.django_db
def test_a_round_of_recovery_ends_however_slow_the_gateway_is(
    now: datetime, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.is_silent = True
    for _ in range(2):
        public.authorise(**payments.request(now))
    gateway.is_silent = False
    monkeypatch.setattr(services.outcomes, "_SECONDS_PER_ROUND", 0)

    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 0


@pytest.mark.django_db
def test_after_23_hours_nothing_is_sent_again_and_not_found_is_no_outcome(
    now: datetime, gateway: ScriptedGateway
) -> None:
    asked = payments.request(now)
    gateway.is_silent = True
    public.authorise(**asked)
    gateway.is_silent = False
    gateway.forget()
    late = now + timedelta(hours=23)

    payment = services.resolve(payment_id=asked["payment_id"], now=late)

    assert (len(gateway.sent), gateway.lookups) == (1, 1)
    assert payment.status == "UNKNOWN"
    assert payment.attention == "no_outcome"
    assert services.resolve_unfinished(now=late + timedelta(days=1)) == 0
    assert gateway.lookups == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "amount_minor", "guarantee"),
    [("invoice", 5_000, "on_account"), ("free", 0, "authorised"), ("card", 0, "authorised")],
)
def test_no_gateway_is_asked_where_nobody_has_to_approve(
    now: datetime, gateway: ScriptedGateway, method: str, amount_minor: int, guarantee: str
) -> None:
    outcome = public.authorise(**payments.request(now, method=method, amount_minor=amount_minor))

    assert outcome.status == "AUTHORISED"
    assert public.guarantee_of(method) == guarantee
    assert gateway.sent == []


def test_only_what_is_offered_may_be_chosen(settings: Any) -> None:
    settings.PAYMENT_METHODS = ["card", "free"]

    public.check_method(method="card", amount=Money(1, "GBP"), token="tok_visa")
    public.check_method(method="card", amount=Money(0, "GBP"), token="")
    public.check_method(method="free", amount=Money(0, "GBP"), token="")
    with pytest.raises(PaymentTokenRequired):
        public.check_method(method="card", amount=Money(1, "GBP"), token="")
    for method, amount_minor, reason in (
        ("invoice", 100, "'invoice' is none of: card, free."),
        ("cheque", 100, "'cheque' is none of: card, free."),
        ("free", 100, "1.00 GBP is not free."),
    ):
        with pytest.raises(UnknownPaymentMethod) as refused:
            public.check_method(method=method, amount=Money(amount_minor, "GBP"), token="")
        assert str(refused.value) == reason


@pytest.mark.django_db
def test_a_method_that_is_withdrawn_is_good_for_what_was_agreed(
    now: datetime, settings: Any
) -> None:
    settings.PAYMENT_METHODS = ["card"]

    assert public.guarantee_of("invoice") == "on_account"
    outcome = public.authorise(**payments.request(now, method="invoice"))
    assert outcome.status == "AUTHORISED"


@pytest.mark.django_db
def test_the_books_tell_who_granted_a_payment_and_which_ones_staff_must_see_to(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payments.authorised_payment(now)
    payments.authorised_payment(now, amount_minor=0)
    stuck = payments.authorised_payment(now)
    gateway.refusal = "already_captured"
    public.void(payment_id=stuck.id, now=now)

    assert [(a.gateway, a.needs_attention) for a in public.payment_audit()] == [
        ("scripted", False),
        ("none", False),
        ("scripted", True),
    ]


@pytest.mark.django_db
def test_nothing_about_the_card_is_logged(
    now: datetime, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.is_silent = True
    asked = payments.request(now, token="tok_secret_4242")

    with caplog.at_level("DEBUG"), capture_logs() as logs:
        public.authorise(**asked)
        services.resolve(payment_id=asked["payment_id"], now=now)

    silences = [line for line in logs if line["event"] == "gateway_gave_no_answer"]
    assert [line["payment_id"] for line in silences] == [str(asked["payment_id"])] * 2
    lines = [f"{r.getMessage()} {r.__dict__}" for r in caplog.records if "django.db" not in r.name]
    lines += map(repr, logs)
    assert not any("tok_secret_4242" in line for line in lines)
    assert "tok_secret_4242" not in repr(gateway.sent[0])


@pytest.mark.django_db
def test_the_books_list_every_payment_by_id(now: datetime, gateway: ScriptedGateway) -> None:
    held = payments.authorised_payment(now)
    taken = payments.captured_payment(now, amount_minor=500)
    gateway.is_silent = True
    unknown = payments.authorised_payment(now)
    gateway.is_silent = False
    never = new_id()
    public.void(payment_id=never, now=now)

    audited = [
        (a.payment_id, a.status, a.authorised_minor, a.captured_minor)
        for a in public.payment_audit()
    ]

    assert audited == [
        (held.id, "AUTHORISED", 1_999, 0),
        (taken.id, "CAPTURED", 500, 500),
        (unknown.id, "UNKNOWN", 0, 0),
        (never, "VOIDED", 0, 0),
    ]
    assert list(public.event_counts()) == [
        (held.id, "payment-events", 1),
        (taken.id, "payment-events", 2),
        (unknown.id, "payment-events", 0),
        (never, "payment-events", 0),
    ]
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_the_task_resolves_what_has_no_outcome(gateway: ScriptedGateway) -> None:
    gateway.is_silent = True
    payment = payments.authorised_payment(clock.now() - timedelta(minutes=1))
    gateway.is_silent = False

    tasks.resolve_unfinished()

    assert public.payment_states([payment.id])[payment.id].status == "AUTHORISED"
