from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.files import keep_files_in


@pytest.fixture(autouse=True)
def _files_of_this_test(settings: Any, tmp_path: Path) -> None:
    keep_files_in(tmp_path, settings)
