"""What docs/search.md asks for, asked of the shop that it speaks of."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from demo import loading
from demo.catalogue import read_products
from devstack.layout import ROOT
from tests.support.files import bring, counts, keep_files_in

EXAMPLE = re.compile(r"^GET /api/v1(\S+(?: \S+)*)", re.MULTILINE)
CATEGORY = "Candles and lights"


def blocks(name: str) -> list[str]:
    text = (ROOT / "docs" / name).read_text()
    found: list[str] = re.findall(r"^```\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    return found


def files_of_the_import() -> dict[str, str]:
    """Those that docs/import.md has somebody write, by name."""
    written = re.compile(r"^cat > \$FILES/(\S+)\.csv <<'END'\n(.*?)^END$", re.DOTALL | re.MULTILINE)
    return dict(written.findall(blocks("import.md")[0]))


@pytest.mark.django_db
def test_each_example_of_the_search_finds_something(
    client: Client,
    now: datetime,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_files_in(tmp_path, settings)
    monkeypatch.setattr(loading, "PICTURES", 0)
    goods = [product for product in read_products() if product.category == CATEGORY][:100]
    loading.load(products=goods, now=now, progress=lambda done, total: None)
    files = files_of_the_import()
    assert list(files) == ["types", "hoodies", "stock"]
    kinds = {"types": "product-types", "hoodies": "products", "stock": "stock"}
    for name, text in files.items():
        assert counts(bring(kinds[name], text, now=now))[3] == 0, name
    examples = [example for block in blocks("search.md") for example in EXAMPLE.findall(block)]
    assert len(examples) == 6
    for example in examples:
        answer = client.get(f"/api/v1{example}")
        assert answer.status_code == 200, example
        assert answer.json()["items"], example
        assert ("facets" in answer.json()) == ("facets=" in example)
