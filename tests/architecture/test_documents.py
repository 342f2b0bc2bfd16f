"""Documents that list what is in the tree list all of it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DECISIONS = ROOT / "docs" / "decisions"


def test_every_decision_is_in_their_index_under_its_title() -> None:
    wanted = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        number, _, title = page.read_text().partition("\n")[0].removeprefix("# ").partition(" ")
        assert page.name.startswith(f"{number}-")
        wanted.append(f"* {number} [{title}]({page.name})")
    index = (DECISIONS / "README.md").read_text().splitlines()
    assert [line for line in index if line.startswith("* ")] == wanted


def test_every_module_that_tests_share_is_in_the_table_of_them() -> None:
    shared = ROOT / "tests" / "support"
    modules = [path for path in shared.glob("*.py") if path.stem != "__init__"]
    packages = [path.parent for path in shared.glob("*/__init__.py")]
    table = (ROOT / "docs" / "testing.md").read_text()
    missing = [path.stem for path in [*modules, *packages] if f"`{path.stem}`" not in table]
    assert sorted(missing) == []
