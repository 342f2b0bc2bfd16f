"""The import contracts hold, and they would notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree's modules as files of imports only, so that a violation can be planted."""
    for package in (
        "config",
        "domains",
        "infrastructure",
        "devstack",
        "demo",
        "benchmarks",
        "tests",
    ):
        for source in (ROOT / package).rglob("*.py"):
            target = tmp_path / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text())
    (tmp_path / ".importlinter").write_text((ROOT / ".importlinter").read_text())
    return tmp_path


def test_the_contracts_are_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("domains/payments/services.py", "from domains.orders import public"),
        ("domains/orders/services/placement.py", "from domains.products.models import StockItem"),
        (
            "domains/orders/services/placement.py",
            "from domains.payments.events import PaymentAuthorised",
        ),
        ("domains/products/rules/stock.py", "import django"),
        ("domains/orders/models/orders.py", "from domains.orders import services"),
        ("domains/orders/utils.py", "import json"),
        ("infrastructure/money.py", "from domains.orders import public"),
        ("domains/orders/services/placement.py", "import confluent_kafka"),
        ("domains/orders/services/placement.py", "import celery"),
        ("domains/payments/services.py", "import httpx"),
        ("config/urls.py", "from domains.orders import services"),
        ("infrastructure/clock.py", "import tests.conftest"),
    ],
)
def test_a_violation_is_noticed(copy: Path, path: str, text: str) -> None:
    target = copy / path
    target.write_text((target.read_text() if target.exists() else "") + f"\n{text}\n")
    assert lint(copy).returncode == 1
