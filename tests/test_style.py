"""Limits on the size of files and functions, so that each stays one idea."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(p for folder in ("microgen", "cli") for p in (ROOT / folder).rglob("*.py"))


def own_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    body = function.body
    documented = ast.get_docstring(function) is not None
    docstring = body[0].end_lineno - body[0].lineno + 1 if documented else 0  # type: ignore[operator]
    return function.end_lineno - function.lineno + 1 - docstring  # type: ignore[operator]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = {f.name: own_length(f) for f in functions if own_length(f) > 40}
    assert not too_long


def test_a_long_function_is_noticed() -> None:
    source = "def f():\n" + "    x = 1\n" * 50
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert own_length(function) == 51
