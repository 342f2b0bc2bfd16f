from __future__ import annotations

import uuid

import pytest

from devstack.kafka import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    dashed = uuid.UUID(bytes=b"\xf8" + bytes(15))  # begins with a dash in URL-safe base64
    plain = uuid.UUID(bytes=bytes(16))
    made = iter([dashed, dashed, plain])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(made))
    assert new_cluster_id() == "A" * 22
