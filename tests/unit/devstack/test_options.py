"""The environment's variables for the local stack."""

from __future__ import annotations

import pytest

from devstack.errors import StackError
from devstack.options import Options


def test_without_variables_everything_is_embedded_and_local() -> None:
    options = Options.read({})
    assert options == Options(host="127.0.0.1", port=8000, web_workers=2, web_threads=8, given={})
    assert options.base_url == "http://127.0.0.1:8000"


def test_each_address_in_the_environment_replaces_one_server() -> None:
    options = Options.read({"REDIS_URL": "redis://elsewhere/3", "DATABASE_URL": "", "HOME": "/x"})
    assert options.given == {"REDIS_URL": "redis://elsewhere/3"}


def test_an_address_for_all_interfaces_is_shown_as_one_that_can_be_opened() -> None:
    assert Options.read({"HOST": "0.0.0.0", "PORT": "80"}).base_url == "http://127.0.0.1:80"
    assert Options.read({"HOST": "::1", "PORT": "81"}).base_url == "http://[::1]:81"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_with_an_example(port: str) -> None:
    with pytest.raises(StackError) as refusal:
        Options.read({"PORT": port})
    assert refusal.value.what == f"PORT is {port!r}, which is no whole number from 1 to 65535."
    assert "`PORT=8000 make run`" in refusal.value.todo
