"""The cache of compiled functions: what is found in it is what was asked for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
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


SOURCES = sorted(p for folder in ("microgen", "tests") for p in (Path(__file__).parents[1] / folder).rglob("*.py"))
NOT_FROM_PYTHON = {"inner", "leaf", "part", "inlined"}
"""Decorators of functions that would end the process if Python called them."""


def decorators(function: ast.FunctionDef) -> set[str]:
    """Names of a function's decorators."""
    bare = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return {d.id for d in bare if isinstance(d, ast.Name)}


def names_in_python(node: ast.AST) -> Iterator[str]:
    """Names that are read outside compiled functions, and attributes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and decorators(child) & (NOT_FROM_PYTHON | {"compiled"}):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
            yield child.id
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name):
            yield f"{child.value.id}.{child.attr}"
        yield from names_in_python(child)


def inner_functions(tree: ast.Module) -> set[str]:
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and decorators(n) & NOT_FROM_PYTHON}


def test_python_calls_no_inner_function():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    modules = {p.stem: inner for p, tree in trees.items() if (inner := inner_functions(tree))}
    assert "share_voxel" in modules["shares"]
    for path, tree in trees.items():
        forbidden = set(modules.get(path.stem, ()))
        for imported in (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module):
            for alias in imported.names:
                name = alias.asname or alias.name
                forbidden |= {name} if alias.name in modules.get(imported.module.split(".")[-1], ()) else set()
                forbidden |= {f"{name}.{function}" for function in modules.get(alias.name, ())}
        assert not forbidden & set(names_in_python(tree)), path
