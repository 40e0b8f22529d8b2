"""The cache of compiled functions: what is found in it is what was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from microgen.compiled import _Files

MODULE = """
from microgen.compiled import compiled
from {neighbour} import half

@compiled
def twice(a):
    return half(a) * 4
"""
NEIGHBOUR = """
from microgen.compiled import compiled

@compiled
def half(a):
    return a / {divisor}
"""
RUN = "import numpy, kernels; print(kernels.twice({kind}(3)), sum(kernels.twice.stats.cache_hits.values()))"


def run(folder: Path, kind: str = "float") -> tuple[float, int]:
    """What the function gives for 3, and how often it came from the cache."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("NUMBA_DISABLE_JIT", None)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(kind=kind)], env=env, capture_output=True, text=True, check=True
    )
    value, hits = done.stdout.split()
    return float(value), int(hits)


def made(folder: Path, divisor: float = 2) -> None:
    (folder / "kernels.py").write_text(MODULE.format(neighbour="others"))
    (folder / "others.py").write_text(NEIGHBOUR.format(divisor=divisor))


def test_a_second_run_compiles_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    assert run(tmp_path) == (6, 0)
    assert run(tmp_path) == (6, 1)
    assert run(tmp_path, "numpy.float32") == (6, 0)
    assert run(tmp_path, "numpy.float32") == (6, 1)
    assert run(tmp_path) == (6, 1)


def test_a_function_called_from_another_file_is_compiled_anew_when_it_changes(tmp_path: Path) -> None:
    made(tmp_path)
    run(tmp_path)
    made(tmp_path, divisor=4)
    assert run(tmp_path) == (3, 0)


@pytest.mark.parametrize("step", ["_load_index", "_save_index", "_save_data"])
def test_processes_that_save_at_the_same_time_never_mix_versions(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (_Files(str(tmp_path), "f", "stamp") for _ in range(2))
    load, act = theirs._load_index, getattr(ours, step)
    monkeypatch.setattr(theirs, "_load_index", dict)  # they looked before we saved anything

    def meanwhile(*args: Any) -> Any:
        theirs.save("float32", "version for float32")
        return act(*args)

    monkeypatch.setattr(ours, step, meanwhile)
    ours.save("float64", "version for float64")
    monkeypatch.setattr(theirs, "_load_index", load)
    found = {kind: theirs.load(kind) for kind in ("float32", "float64")}
    assert all(version in (None, f"version for {kind}") for kind, version in found.items())
    assert any(found.values())
