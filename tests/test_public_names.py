"""The public names: few, sorted, importable, and quick to reach."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import microgen


def test_names_are_few_and_sorted() -> None:
    assert microgen.__all__ == sorted(set(microgen.__all__))
    # two families of material, describe, reconstruct, samples beyond memory, and the distance and way between two
    assert 5 < len(microgen.__all__) <= 34
    assert dir(microgen) == microgen.__all__


@pytest.mark.parametrize("name", microgen.__all__)
def test_name_can_be_imported_and_is_documented(name: str) -> None:
    assert (getattr(microgen, name).__doc__ or "").strip()


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(microgen.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.asname: node.module for node in imports for alias in node.names} == microgen._HOME


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'polycristal'"):
        microgen.polycristal  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "numba", "pyvista", "matplotlib", "scipy")
    code = f"import sys, microgen; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
