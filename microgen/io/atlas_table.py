"""Atlas table: one CSV row a draw, appended as it is made, so that what an interrupted run has is never lost.

    # microgen-atlas {"shape": [64, 64, 64], "dx": 0.01, "eps": 0.02, "seed": 0, "prior": {...}, ...}
    sample,seed,status,a20,a11,a02,b10,b01,c,mass,...

Rows in any order, full precision, empty cells where nothing was measured. A last line without an end was torn by an
interruption and does not count.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from microgen.atlas import COLUMNS, TEXTS, Atlas
from microgen.errors import OutputNotWritable, UnreadableFile
from microgen.io.atomic import atomic_path

MARK = "# microgen-atlas "
INTEGERS = ("sample", "seed")


def read_atlas(path: str | Path) -> Atlas:
    """Read an atlas, ordered by sample; of a sample written twice the first counts. Raises UnreadableFile."""
    path = Path(path)
    settings, lines = _lines(path)
    rows: dict[int, list[Any]] = {}
    for number, cells in enumerate(csv.reader(lines), 3):
        row = _row(cells, path, number)
        rows.setdefault(row[0], row)
    ordered = [rows[k] for k in sorted(rows)]
    columns = {name: np.array([row[j] for row in ordered], _kind(name)) for j, name in enumerate(COLUMNS)}
    return Atlas(settings, columns)


def start_table(path: str | Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """An atlas without rows. Raises OutputNotWritable."""
    with atomic_path(path, overwrite) as part:
        head = MARK + json.dumps(settings, ensure_ascii=True)
        part.write_text(f"{head}\n{','.join(COLUMNS)}\n", encoding="ascii")


def resume_table(path: str | Path, settings: Mapping[str, Any]) -> frozenset[int]:
    """Cut off a torn last line and return the samples that are there.

    Raises OutputNotWritable when the table was made with other settings, UnreadableFile.
    """
    path = Path(path)
    atlas = read_atlas(path)
    asked = json.loads(json.dumps(settings))
    other = [name for name in asked if atlas.settings.get(name) != asked[name]]
    if other:
        had = ", ".join(f"{name} {atlas.settings.get(name)}" for name in other)
        raise OutputNotWritable(
            f"{path} comes from another run ({had}), so --resume cannot go on from it. Repeat the flags of that run, "
            "or use --overwrite."
        )
    try:
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    except OSError as error:
        raise _refused(path, error) from error
    return frozenset(atlas.columns["sample"].tolist())


def append_row(path: str | Path, row: Mapping[str, Any]) -> None:
    """One line, on the disk when this returns. Raises OutputNotWritable."""
    line = ",".join(_cell(row[name]) for name in COLUMNS) + "\n"
    try:
        with Path(path).open("ab") as file:
            file.write(line.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _refused(path, error) from error


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else ""
    return str(value)


def _lines(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The settings, and the whole lines below the two of the head."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy=_REMEDY) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, "is not an atlas", remedy=_REMEDY) from error
    lines = text.split("\n")[:-1]  # what follows the last end of line was torn
    if len(lines) < 2 or not lines[0].startswith(MARK) or lines[1] != ",".join(COLUMNS):
        raise UnreadableFile(path, "is not an atlas, or one of another version", remedy=_REMEDY)
    try:
        settings = json.loads(lines[0].removeprefix(MARK))
        shape, numbers = settings["shape"], (float(settings["dx"]), float(settings["eps"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(path, "its first line is damaged", line=1, remedy=_REMEDY) from error
    if len(shape) != 3 or not all(isinstance(n, int) for n in shape) or not all(0 < x < 1e9 for x in numbers):
        raise UnreadableFile(path, "its first line is damaged", line=1, remedy=_REMEDY)
    return settings, lines[2:]


def _row(cells: list[str], path: Path, number: int) -> list[Any]:
    if len(cells) != len(COLUMNS):
        raise UnreadableFile(path, f"expected {len(COLUMNS)} cells, got {len(cells)}", line=number)
    try:
        return [_kind(name)(cell or "nan") for name, cell in zip(COLUMNS, cells)]
    except ValueError as error:
        raise UnreadableFile(path, f"a cell is no number ({error})", line=number) from None


def _kind(name: str) -> type:
    return int if name in INTEGERS else str if name in TEXTS else float


def _refused(path: str | Path, error: OSError) -> OutputNotWritable:
    return OutputNotWritable(f"{path}: cannot be written ({error.strerror or error}). Free the space or move it.")


_REMEDY = "Give the table that `microgen atlas` wrote (atlas.csv)."
