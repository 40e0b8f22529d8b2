"""What .ang and EDAX .h5 share: which points count as indexed, and of which phase they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.scan import Points
from microgen.io.text import Table

FOUR_PI = 4 * np.pi
EXPORT = "Export the scan again."


@dataclass(frozen=True)
class Columns:
    """Columns of a scan as they stand in the file."""

    euler: np.ndarray
    """float64 [n, 3], radians; one of them 4π where not indexed."""
    x: np.ndarray
    """float64 [n], µm"""
    y: np.ndarray
    ci: np.ndarray
    """Confidence index; -1 where not indexed."""
    phase: np.ndarray
    """Number of the phase in the header; 0 in files with a single one, else not indexed."""


def make_points(
    path: Path, columns: Columns, numbers: list[int], *, use_ci: bool = True, table: Table | None = None
) -> tuple[Points, tuple[str, ...]]:
    """Points with the index of their phase in `numbers`, and notes. `table` names the lines of a text file.

    Raises UnreadableFile for coordinates that are no numbers, angles beyond 4π and phases that are not in the header.
    """
    euler, column = columns.euler, columns.phase
    finite = np.isfinite(euler).all(axis=1)
    largest = np.abs(np.where(np.isfinite(euler), euler, 0)).max(axis=1)
    _refuse(path, table, ~(np.isfinite(columns.x) & np.isfinite(columns.y)), "a coordinate is no number")
    _refuse(path, table, largest > FOUR_PI + 0.01, "an Euler angle is larger than 4π: radians were expected")
    indexed = finite & (largest < FOUR_PI - 0.01)
    if use_ci:
        indexed &= ~(columns.ci < 0)
    phase = np.full(len(column), -1)
    for index, number in enumerate(numbers):
        phase[column == number] = index
    # EDAX writes 0 for the phase of a file that has only one.
    if len(numbers) == 1 and not (column[indexed] == numbers[0]).any():
        phase[column == 0] = 0
    _refuse(path, table, indexed & (phase < 0) & (column != 0), "its phase is not in the header")
    counts = {"without Euler angles": ~finite, "of phase 0": indexed & (phase < 0)}
    notes = tuple(f"{np.count_nonzero(k)} points {what} taken as not indexed" for what, k in counts.items() if k.any())
    phase[~indexed] = -1
    last = None if table is None else table.line_of(len(column) - 1)
    return Points(path, columns.x, columns.y, euler, phase, last_line=last), notes


def _refuse(path: Path, table: Table | None, bad: np.ndarray, problem: str) -> None:
    """Raise UnreadableFile at the first bad row: its line in a text file, else its number."""
    if not bad.any():
        return
    row = int(bad.argmax())
    if table is not None:
        raise UnreadableFile(path, problem, line=table.line_of(row), remedy=EXPORT)
    raise UnreadableFile(path, f"point {row + 1}: {problem}", remedy=EXPORT)
