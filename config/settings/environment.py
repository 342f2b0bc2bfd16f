"""What all parts of the settings begin with."""

from __future__ import annotations

from pathlib import Path

from infrastructure.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = Environment()

PUBLIC_URL = env.text("PUBLIC_URL")
