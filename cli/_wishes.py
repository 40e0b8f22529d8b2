"""Numbers that a material should have: from a file, and whether a sample has them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microgen.errors import UnreadableFile

from ._progress import Reporter


def from_file(path: Path, example: str) -> Mapping[str, Any]:
    """Numbers of a TOML file."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy=f"Example: {example}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"not TOML: {error}", remedy=f"Example: {example}") from None


def tell(found: Mapping[str, Any], reporter: Reporter, columns: tuple[str, ...]) -> None:
    """A table of what was wished for and what was made; `columns` are its five headings."""
    rows = [
        (name, shown(s.target, s.unit), shown(s.achieved, s.unit), shown(s.noise_floor_p95, s.unit), met(s))
        for name, s in found.items()
    ]
    reporter.say()
    reporter.table(columns, rows)
    reporter.say()


def missed(found: Mapping[str, Any]) -> list[str]:
    """Names of those that are beyond their tolerance."""
    return [name for name, s in found.items() if not s.inside]


def shown(value: float, unit: str) -> str:
    """Per mm where per µm would be a tiny number."""
    power = {"1/µm": 1, "1/µm²": 2, "1/µm³": 3}.get(unit, 0)
    text = f"{value * 1000**power:.4g}"
    return f"{text} {unit.replace('µm', 'mm') if power else unit}".rstrip()


def met(s: Any) -> str:
    """In a word."""
    return "yes" if s.inside else "no"
