"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest


def _has_gpu() -> bool:
    if shutil.which("nvidia-smi") is None:  # torch takes seconds to import
        return False
    import torch

    return torch.cuda.is_available()


if not _has_gpu():  # kernels for GPUs then run in an interpreter, chosen when triton is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", choices=("cpu", "cuda"), help="where tests of what runs on devices run")


COMPILED_FIRST = (
    "cli/test_from_scan.py",  # polycrystals
    "cli/test_curvatubes_command.py",  # textures, and what describes them
    "core/test_costs.py",
    "core/test_laguerre.py",
    "core/test_phase_field.py",
    "report/test_against_orix.py",
)
"""Files that compile much, each something else: workers that begin alike compile the same kernels, each for itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those first, then files with many tests, so that no worker is left with a long one at the end."""
    tests = Counter(item.path for item in items)
    root = Path(__file__).parent
    rank = {root / name: k for k, name in enumerate(COMPILED_FIRST)}
    items.sort(key=lambda item: (rank.get(item.path, len(rank)), -tests[item.path]))


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist share the cores: threads of all of them on every core wait for each other, four times as
    slow. Their files come in the order above."""
    config.option.loadscopereorder = False
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    if workers > 1:
        import numba
        import torch

        threads = max(1, (os.cpu_count() or 1) // workers)
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of measured scans and volumes: MICROGEN_TEST_DATA, else shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MICROGEN_TEST_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no measured data: {folder} is not a folder (set MICROGEN_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where tensors of device code live: --device, the CPU without it (there, one thread: problems are small)."""
    wanted = request.config.getoption("--device")
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        pytest.skip("--device cuda: torch sees no GPU")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield wanted
    torch.set_num_threads(threads)
