"""Settings from the environment: everything wrong is said at once, and secrets may be files."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from infrastructure.environment import Environment


def test_a_value_may_be_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    env = Environment({"SECRET_KEY": "from the variable", "SECRET_KEY_FILE": str(secret)})
    assert env.text("SECRET_KEY") == "from the file"
    env.check()


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    env = Environment(
        {"WORKERS": "two", "KEY_FILE": str(tmp_path / "nowhere"), "EMPTY": "  ", "RIGHT": "1"}
    )
    env.text("MISSING")
    env.text("EMPTY")
    env.text("KEY")
    env.integer("WORKERS", 1)
    env.refuse("the host must be named")
    env.require("", "the shop must be named")
    env.require("shop", "never said")
    assert env.integer("RIGHT", 7) == 1

    with pytest.raises(ImproperlyConfigured) as refused:
        env.check()

    assert [line.strip() for line in str(refused.value).splitlines()[1:]] == [
        "- MISSING (or MISSING_FILE) is missing",
        "- EMPTY (or EMPTY_FILE) is missing",
        "- KEY_FILE cannot be read: No such file or directory",
        "- WORKERS is malformed",
        "- the host must be named",
        "- the shop must be named",
    ]


def test_defaults_stand_in_for_what_is_not_given() -> None:
    env = Environment({"LIST": "a,b", "MAP": "x=1,y=2", "ON": "true"})
    assert env.text("A", "b") == "b"
    assert env.flag("ON", default=False) is True
    assert env.flag("OFF", default=False) is False
    assert env.items("LIST", []) == ["a", "b"]
    assert env.mapping("MAP", {}) == {"x": "1", "y": "2"}
    assert env.texts(["LIST", "NONE"]) == {"LIST": "a,b"}
    env.check()
