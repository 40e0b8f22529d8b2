"""What all scan readers share: from scattered points to a map on a square or hexagonal grid.

Row order and header are not trusted: points are sorted by their coordinates, and step, size and kind of the grid are
taken from these. The header serves to notice missing points and is contradicted in the notes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.grid import Grid, HexGrid
from microgen.io.lattice import Axis, find_axis
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import from_euler, to_euler

EMPTIEST = 50
"""Cells per point above which coordinates must be damaged; keeps a wild coordinate from claiming memory."""
CUT = "The file ends early: export or copy it again."


@dataclass(frozen=True)
class Frame:
    """How the Euler frame of an instrument lies in the map frame (x right, y down, z into the surface)."""

    name: str
    angle: float
    """The frames differ by a turn of 180° about the in-plane axis at this angle from x, radians."""
    axis: str

    @property
    def note(self) -> str:
        return f"{self.name} frame: orientations turned by 180° about {self.axis} into the map frame"


# Sample 180° about <010> and Euler +90° about <001> (A1 down, A2 right) make 180° about x + y.
EDAX = Frame("EDAX", math.pi / 4, "x + y (sample 180° <010>, Euler 90° <001>)")
OXFORD = Frame("Oxford/HKL", math.pi / 2, "y (sample 180° <010>)")


@dataclass(frozen=True)
class Claim:
    """What the header says of the grid; None or 0 where it does not say."""

    step: tuple[float | None, float | None] = (None, None)
    """µm"""
    points: int = 0
    columns: int = 0
    rows: int = 0
    hexagonal: bool | None = None


@dataclass(frozen=True)
class Points:
    """Points of a scan in the order of the file."""

    path: Path
    x: np.ndarray
    """float64 [n], µm"""
    y: np.ndarray
    euler: np.ndarray
    """float64 [n, 3]: Bunge angles in the instrument's frame, radians."""
    phase: np.ndarray
    """int [n]: index of the phase, -1 where not indexed."""
    last_line: int | None = None
    """Number of the last line of a text file, to be named when it ends early."""


def assemble(
    points: Points, phases: tuple[Phase, ...], *, frame: Frame, claim: Claim, notes: tuple[str, ...] = ()
) -> Microstructure:
    """The map of `points`, with orientations in the map frame.

    Raises UnreadableFile when points are missing at the end, coincide, or lie on no grid.
    """
    path = points.path
    ux, uy = _axes(points, claim)
    hexagonal = _is_hexagonal(ux, uy)
    if hexagonal:
        grid, i = _hex_grid(ux, uy)
    else:
        grid, i = _square_grid(path, ux, uy, claim), ux.index
    flat = i * grid.shape[1] + uy.index
    present = _occupied(path, grid, flat)
    notes += _check_complete(points, grid, present, claim)
    notes += _disagreements(grid, claim, hexagonal)
    phase_id = np.full(grid.size, -1, np.int16)
    phase_id[flat] = points.phase
    orientation = np.zeros((grid.size, 4))
    orientation[:, 0] = 1.0
    indexed = points.phase >= 0
    orientation[flat[indexed]] = to_map_frame(points.euler[indexed], frame)
    expected = grid.exists() if isinstance(grid, HexGrid) else True
    return Microstructure(
        grid,
        phase_id.reshape(grid.shape),
        phases=phases,
        orientation=orientation.reshape(*grid.shape, 4),
        measured=None if np.all(present == expected) else present,
        notes=(frame.note, *notes),
    )


def to_map_frame(euler: np.ndarray, frame: Frame) -> np.ndarray:
    """Quaternions [n, 4] in the map frame of Bunge angles [n, 3] in the instrument's.

    A turn of 180° about the in-plane axis at angle a is Z(2a) X(180°), and X(180°) Z(φ1) = Z(-φ1) X(180°): the turned
    orientation has the angles (2a - φ1, φ + 180°, φ2).
    """
    phi1, phi, phi2 = euler.T
    return from_euler(2 * frame.angle - phi1, phi + np.pi, phi2)


def from_map_frame(q: np.ndarray, frame: Frame) -> np.ndarray:
    """Bunge angles [n, 3] in the instrument's frame, inverse of `to_map_frame`; φ1 and φ2 in [0, 2π)."""
    phi1, phi, phi2 = to_euler(q).T
    # (2a - φ1, Φ + π, φ2) is (2a - φ1 + π, π - Φ, φ2 + π) with Φ in its range.
    turn = 2 * np.pi
    return np.stack([(2 * frame.angle - phi1 + np.pi) % turn, np.pi - phi, (phi2 + np.pi) % turn], axis=1)


def tell_apart(names: list[str]) -> list[str]:
    """The names, numbered where two phases have the same: `Iron`, `Iron (2)`."""
    told: list[str] = []
    for name in names:
        count, new = 1, name
        while new in told:
            count += 1
            new = f"{name} ({count})"
        told.append(new)
    return told


def _axes(points: Points, claim: Claim) -> tuple[Axis, Axis]:
    step_x, step_y = claim.step
    ux = find_axis(points.path, "x", points.x, claimed=step_x)
    uy = find_axis(points.path, "y", points.y, claimed=step_y)
    cells = ux.count * uy.count
    if cells > EMPTIEST * len(points.x) + 1000:
        problem = f"{len(points.x)} points on a map of {ux.count} x {uy.count}: coordinates are damaged"
        raise UnreadableFile(points.path, problem, remedy="Export or copy it again.")
    return ux, uy


def _is_hexagonal(ux: Axis, uy: Axis) -> bool:
    """Rows √3/2 steps apart with every second one shifted by half a step: points like the black fields of a board."""
    if ux.step is None or uy.step is None or not math.isclose(uy.step / ux.step, math.sqrt(3), rel_tol=0.02):
        return False
    parity = (ux.index + uy.index) % 2
    return bool(np.all(parity == parity[0]))


def _hex_grid(ux: Axis, uy: Axis) -> tuple[HexGrid, np.ndarray]:
    """Grid and column of each point; the rows that start further left are the ones not shifted."""
    assert ux.step is not None  # _is_hexagonal has seen both steps
    assert uy.step is not None
    odd = ux.index % 2 == 1
    shifted = int(uy.index[~odd][0] % 2 == 0)
    i = ux.index // 2
    long, other = int(i[~odd].max()) + 1, int(i[odd].max()) + 1
    step = 2 * ux.step
    pitch = step * math.sqrt(3) / 2
    # The pitch of the grid is exact, the one of the file rounded: the rows' mean position stays.
    first = uy.first + (uy.step - pitch) * (uy.count - 1) / 2
    origin = (ux.first - step / 2, round(first - pitch / 2, 9))
    grid = HexGrid((max(long, other), uy.count), step, shifted=shifted, short=other < long, origin=origin)
    return grid, i


def _square_grid(path: Path, ux: Axis, uy: Axis, claim: Claim) -> Grid:
    """A line of points has a step along itself only: the other is the header's, or the same."""
    hx, hy = ux.step or claim.step[0], uy.step or claim.step[1]
    hx, hy = hx or hy, hy or hx
    if hx is None or hy is None:
        raise UnreadableFile(path, "holds a single point and no step", remedy="Give a map.")
    return Grid((ux.count, uy.count), (hx, hy), origin=(ux.first - hx / 2, uy.first - hy / 2))


def _occupied(path: Path, grid: Grid | HexGrid, flat: np.ndarray) -> np.ndarray:
    """bool [shape]: cells with a point. Raises UnreadableFile when two points share one."""
    counts = np.bincount(flat, minlength=grid.size)
    if counts.max() > 1:
        x, y = grid.points()[int(counts.argmax())]
        problem = f"{int((counts > 1).sum())} places hold more than one point, the first at x = {x:g} µm, y = {y:g} µm"
        raise UnreadableFile(path, problem, remedy="Export a single scan, with coordinates of enough digits.")
    return (counts > 0).reshape(grid.shape)


def _check_complete(points: Points, grid: Grid | HexGrid, present: np.ndarray, claim: Claim) -> tuple[str, ...]:
    """Note on missing points. Raises UnreadableFile when the end of the file is what is missing.

    Rows may be missing from a map (points that were never written), but then they are missing everywhere: a file is
    cut when the points do not reach the map's last column and row, or fill it without a gap up to some point.
    """
    count = int(present.sum())
    expected = int(grid.exists().sum()) if isinstance(grid, HexGrid) else grid.size
    raster = present.T[grid.exists().T] if isinstance(grid, HexGrid) else present.T.ravel()
    gapless = bool(raster[:count].all())
    spans = grid.shape[0] >= claim.columns and grid.shape[1] >= claim.rows
    if count < claim.points and (gapless or not spans):
        problem = f"is truncated: {count} of {claim.points} points"
        raise UnreadableFile(points.path, problem, line=points.last_line, remedy=CUT)
    if count < expected and gapless:
        problem = f"is truncated: its last row lacks {expected - count} points"
        raise UnreadableFile(points.path, problem, line=points.last_line, remedy=CUT)
    if count < expected:
        return (f"{expected - count} of {expected} points of the map are missing from the file",)
    return ()


def _disagreements(grid: Grid | HexGrid, claim: Claim, hexagonal: bool) -> tuple[str, ...]:
    """What the header says and the coordinates contradict, or does not say."""
    notes = []
    if None in claim.step or not claim.points:
        notes.append("the header lacks steps or numbers of points: taken from the coordinates")
    if claim.hexagonal is not None and claim.hexagonal != hexagonal:
        kinds = ("square", "hexagonal")
        notes.append(
            f"the header says {kinds[claim.hexagonal]}, the coordinates say {kinds[hexagonal]}: these are used"
        )
    for name, said, found in zip("xy", claim.step, grid.spacing):
        if said is not None and not math.isclose(said, found, rel_tol=1e-3):
            notes.append(
                f"step along {name}: {said:g} µm in the header, {found:g} µm in the coordinates, which are used"
            )
    said = (claim.columns, claim.rows)
    if all(said) and said != grid.shape:
        notes.append(f"the header says {said[0]} x {said[1]} points, the coordinates {grid.shape[0]} x {grid.shape[1]}")
    return tuple(notes)
