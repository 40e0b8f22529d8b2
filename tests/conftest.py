"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

if shutil.which("nvidia-smi") is None:  # kernels for GPUs then run in an interpreter, chosen when triton is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of measured scans and volumes: MICROGEN_TEST_DATA, else shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MICROGEN_TEST_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no measured data: {folder} is not a folder (set MICROGEN_TEST_DATA)")
    return folder
