"""What .ctf and .cpr/.crc share: HKL's codes of symmetries, its crystal frame, and which points count as indexed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io.scan import Points, tell_apart
from microgen.microstructure import Phase
from microgen.orientation import laue_group_from

HEXAGONAL_AXES = ("-3", "-3m", "6/m", "6/mmm")
EQUAL_AXES = (*HEXAGONAL_AXES, "4/m", "4/mmm", "m-3", "m-3m")


@dataclass(frozen=True)
class Entry:
    """A phase as the header has it."""

    name: str
    laue: int
    """HKL's number 1..11 of the Laue group, or 0."""
    space_group: int
    lattice: tuple[float, ...]
    line: int | None = None


def make_phases(path: Path, entries: list[Entry]) -> tuple[tuple[Phase, ...], tuple[str, ...]]:
    """Phases in the order of the header, and notes. Raises UnreadableFile for unknown symmetries."""
    names = tell_apart([entry.name.strip() or f"phase {k}" for k, entry in enumerate(entries, start=1)])
    phases, notes = [], []
    for entry, name in zip(entries, names):
        group = _laue_group(path, entry, name)
        lattice = entry.lattice if len(entry.lattice) == 6 else ()
        # MTEX writes the x component of the vector a, a sin 120°, for its length.
        if lattice and group in EQUAL_AXES and not math.isclose(lattice[0], lattice[1], rel_tol=1e-3):
            notes.append(f"{name}: a = {lattice[0]:g} Å and b = {lattice[1]:g} Å cannot differ in {group}; b is used")
            lattice = (lattice[1], *lattice[1:])
        phases.append(Phase(name, group, lattice))
    return tuple(phases), tuple(notes)


def _laue_group(path: Path, entry: Entry, name: str) -> str:
    try:
        return laue_group_from(hkl=entry.laue) if entry.laue else laue_group_from(space_group=entry.space_group)
    except InvalidParameter:
        problem = f"the phase {name!r} has the Laue group {entry.laue} and the space group {entry.space_group}"
        remedy = "Correct them in the header: Laue group 1 to 11 or space group 1 to 230."
        raise UnreadableFile(path, problem, line=entry.line, remedy=remedy) from None


def make_points(
    path: Path,
    xy: tuple[np.ndarray, np.ndarray],
    euler: np.ndarray,
    *,
    phase: np.ndarray,
    bands: np.ndarray | None,
    phases: tuple[Phase, ...],
    last_line: int | None = None,
) -> tuple[Points, tuple[str, ...]]:
    """Points of HKL's columns (angles in radians, phases from 1, 0 = not indexed), and notes.

    Software that cleans a map writes orientations at points where no bands were found; these count as indexed, as
    they do elsewhere, and are told. Raises UnreadableFile when an indexed point has no angles.
    """
    index = phase.astype(np.int64) - 1
    lost = (index >= 0) & ~np.isfinite(euler).all(axis=1)
    index[lost] = -1
    notes = []
    if lost.any():
        notes.append(f"{np.count_nonzero(lost)} points without Euler angles taken as not indexed")
    filled = 0 if bands is None else np.count_nonzero((index >= 0) & (bands == 0))
    if filled:
        notes.append(f"{filled} indexed points have no bands: filled in by the software that cleaned the map")
    return Points(path, *xy, _edax_crystal_frame(euler, index, phases), index, last_line=last_line), tuple(notes)


def _edax_crystal_frame(euler: np.ndarray, index: np.ndarray, phases: tuple[Phase, ...]) -> np.ndarray:
    """Angles for a hexagonal lattice with a along x; HKL has a* there, 30° further on, so that φ2 loses 30°."""
    turned = np.array([phase.laue_group in HEXAGONAL_AXES for phase in phases] + [False])
    euler = euler.copy()
    euler[turned[index], 2] -= math.pi / 6
    return euler
