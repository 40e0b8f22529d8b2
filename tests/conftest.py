"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of measured scans and volumes: MICROGEN_TEST_DATA, else shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MICROGEN_TEST_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no measured data: {folder} is not a folder (set MICROGEN_TEST_DATA)")
    return folder
