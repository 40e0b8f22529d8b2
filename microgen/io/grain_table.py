"""Grain table: one CSV row a grain with its site, metric, weight, volumes and orientation, full precision.

    # box_um=64.0,64.0,64.0 periodic=xyz
    grain_id,phase_id,x,y,z,a_xx,a_xy,a_xz,a_yy,a_yz,a_zz,weight,volume_target,volume,qw,qx,qy,qz

Lengths in µm, volumes in µm³ (areas in µm² in a plane, which has no z, a_xz, a_yz, a_zz), a_ij in 1/µm², the weight in
the unit of the cost. With the grid's origin at the corner of the box, grain i owns the points y where
(y - x_i)^T A_i (y - x_i) - w_i is least; in periodic axes over all translates of the wrapped displacement.
What is unknown (the diagram of a measured scan) is an empty column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.microstructure import Grains, Microstructure, TiledMicrostructure

NAME = "grains"
SUFFIXES = (".csv",)

REMEDY = "A .npz or .zarr of the sample has it; or make the sample again: microgen rerun FILE --out NAME.csv."

_LARGEST = 2**30
_ROWS = 2**15
"""Written at a time: as text they take twenty times their bytes."""
_QUATERNION = ("qw", "qx", "qy", "qz")


@dataclass(frozen=True, eq=False)
class GrainTable:
    """A power diagram's grains with the box they fill."""

    grains: Grains
    box: tuple[float, ...]
    """Lengths of the box, µm; two for a plane."""
    periodic: tuple[bool, ...]
    """Per axis."""
    origin: tuple[float, ...] = ()
    """Corner of the box, µm; zeros when empty. Sites are given in the same frame."""
    corner: tuple[float, ...] | None = None
    """Of lists that do not tell their box: where the corner of the smallest one around their grains lies, µm. Sites are
    given from there."""


def columns(ndim: int) -> list[str]:
    """Names of the columns in `ndim` dimensions."""
    sites, metrics = _columns(ndim)
    return ["grain_id", "phase_id", *sites, *metrics, "weight", "volume_target", "volume", *_QUATERNION]


def _columns(ndim: int) -> tuple[list[str], list[str]]:
    axes = "xyz"[:ndim]
    return list(axes), [f"a_{a}{b}" for k, a in enumerate(axes) for b in axes[k:]]


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the grains, not the voxels. Their volume comes again by `microgen polycrystal --sites`."""
    return frozenset({"grain_orientations", "diagram", "volumes", "periodic"})


def write(ms: Microstructure | TiledMicrostructure, path: str | Path) -> None:
    """Write the grains of a sample. Raises InvalidParameter when it has no table of grains."""
    if ms.grains is None:
        raise InvalidParameter("grains", expected="a sample with a table of grains", got=None, remedy=REMEDY)
    box = ",".join(repr(float(length)) for length in ms.grid.lengths)
    periodic = "".join(a for a, p in zip("xyz", ms.grid.periodic) if p) or "none"
    corner = ",".join(repr(float(x)) for x in ms.grid.origin) if any(ms.grid.origin) else ""
    with open(path, "w", encoding="ascii", newline="") as file:
        first = f"# box_um={box} periodic={periodic}" + (f" origin_um={corner}" if corner else "")
        file.write(f"{first}\n{','.join(columns(ms.grid.ndim))}\n")
        for start in range(0, len(ms.grains), _ROWS):
            rows = zip(*_texts(ms.grains, ms.grid.ndim, slice(start, start + _ROWS)))
            file.writelines(",".join(row) + "\n" for row in rows)


def write_tiled(
    ms: TiledMicrostructure, path: str | Path, *, progress: Callable[[float, str], None] | None = None
) -> None:
    """The table of a sample that is never held as a whole."""
    write(ms, path)


def _texts(grains: Grains, ndim: int, part: slice) -> list[list[str]]:
    """The columns of some rows as text; repr gives the shortest decimal that reads back as the same float64."""
    numbers, (i, j) = range(len(grains))[part], np.triu_indices(ndim)
    n, metrics = len(numbers), None if grains.metrics is None else grains.metrics[:, i, j]
    parts = [(grains.sites, ndim), (metrics, len(i)), (grains.weights, 1), (grains.volume_target, 1)]
    texts = [[str(k + 1) for k in numbers], [str(int(p)) for p in grains.phase_id[part]]]
    for values, width in [*parts, (grains.volume, 1), (grains.orientation, 4)]:
        if values is None:
            texts += [[""] * n] * width
        else:
            rows = np.asarray(values[part], float).reshape(n, width)
            texts += [[repr(v) for v in column] for column in rows.T.tolist()]
    return texts


def read_table(path: str | Path) -> GrainTable:
    """Read a grain table, rows in any order. Raises UnreadableFile, with the line where there is one."""
    path = Path(path)
    text = _text(path)
    box, periodic, origin = _head(path, text)
    # The line numbers of the file are kept: rows come with theirs.
    rows = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not rows or [name.strip() for name in rows[0][1].split(",")] != columns(len(box)):
        line, got = rows[0] if rows else (1, "nothing")
        raise UnreadableFile(path, f"expected the columns {','.join(columns(len(box)))}, got {got[:200]}", line=line)
    if len(rows) == 1:
        raise UnreadableFile(path, "holds no grains", line=rows[0][0])
    values = _values(path, rows[1:], len(columns(len(box))))
    return GrainTable(_grains(path, values, box), box, periodic, origin)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise UnreadableFile(path, f"is larger than {_LARGEST} bytes, too large for a grain table")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})", remedy="Check the path.") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, "is not text") from error


def _head(path: Path, text: str) -> tuple[tuple[float, ...], tuple[bool, ...], tuple[float, ...]]:
    """Box, periodic axes and corner of the comment line."""
    line = text.split("\n", 1)[0]
    words = dict(word.split("=", 1) for word in line.removeprefix("#").split() if "=" in word)
    remedy = "The first line must read: # box_um=LX,LY,LZ periodic=xyz (or xy, ..., none)."
    if not line.startswith("#") or not {"box_um", "periodic"} <= set(words):
        raise UnreadableFile(path, "has no line with the box and the periodic axes", line=1, remedy=remedy)
    box, origin = (_lengths(path, name, words.get(name, ""), remedy) for name in ("box_um", "origin_um"))
    if len(box) not in (2, 3) or not all(math.isfinite(length) and length > 0 for length in box):
        raise UnreadableFile(path, f"expected 2 or 3 positive lengths, got {box}", line=1, remedy=remedy)
    if origin and (len(origin) != len(box) or not all(map(math.isfinite, origin))):
        raise UnreadableFile(path, f"expected an origin of {len(box)} numbers, got {origin}", line=1, remedy=remedy)
    axes = words["periodic"]
    if axes != "none" and (not axes or len(set(axes)) != len(axes) or set(axes) - set("xyz"[: len(box)])):
        raise UnreadableFile(path, f"expected periodic axes, got {axes[:20]!r}", line=1, remedy=remedy)
    return box, tuple(axes != "none" and axis in axes for axis in "xyz"[: len(box)]), origin


def _lengths(path: Path, name: str, text: str, remedy: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",")) if text else ()
    except ValueError as error:
        raise UnreadableFile(path, f"{name} is no list of lengths ({error})", line=1, remedy=remedy) from error


def _values(path: Path, rows: list[tuple[int, str]], width: int) -> np.ndarray:
    """float64 [n, columns] in order of grain_id; NaN only in columns that are empty throughout."""
    cells = [line.split(",") for _, line in rows]
    values = np.empty((len(rows), width))
    for k, ((line, _), row) in enumerate(zip(rows, cells)):
        if len(row) != width:
            raise UnreadableFile(path, f"expected {width} values, got {len(row)}", line=line)
        try:
            values[k] = [float(cell) if cell.strip() else math.nan for cell in row]
        except ValueError as error:
            raise UnreadableFile(path, f"holds a value that is no number ({error})", line=line) from error
    # A number written as nan or inf would otherwise pass for an empty one.
    written = np.array([[bool(cell.strip()) for cell in row] for row in cells])
    partly = written.any(axis=0) & ~written.all(axis=0)
    bad = (written & ~np.isfinite(values)) | (~written & partly)
    if bad.any():
        line = rows[int(bad.any(axis=1).argmax())][0]
        raise UnreadableFile(path, "expected a finite number in every column", line=line)
    order = np.argsort(values[:, 0], kind="stable")
    if not np.array_equal(values[order, 0], np.arange(1, len(rows) + 1)):
        raise UnreadableFile(path, f"expected the grains 1 to {len(rows)}, each once")
    return values[order]


def _grains(path: Path, values: np.ndarray, box: tuple[float, ...]) -> Grains:
    n, d = len(values), len(box)
    parts = np.split(values, np.cumsum([1, 1, d, d * (d + 1) // 2, 1, 1, 1]), axis=1)
    _, phase, sites, triangle, weights, target, volume, orientation = parts
    metrics = np.empty((n, d, d))
    i, j = np.triu_indices(d)
    metrics[:, i, j] = metrics[:, j, i] = triangle
    _check(path, "phase_id from -1 to 32767", (phase % 1 == 0) & (phase >= -1) & (phase <= 32767))
    _check(path, "volumes that are not negative", (volume >= 0) & ~(target < 0))
    _check(path, "unit quaternions", np.abs(np.linalg.norm(orientation, axis=1) - 1) < 1e-3)
    if not np.isnan(metrics).any():
        _check(path, "positive definite metrics", np.linalg.eigvalsh(metrics).min(axis=1) > 0)

    def known(array: np.ndarray) -> np.ndarray | None:
        return None if np.isnan(array).any() else array

    return Grains(
        phase[:, 0].astype(np.int16),
        orientation,
        volume[:, 0],
        volume_target=known(target[:, 0]),
        sites=known(sites),
        metrics=known(metrics),
        weights=known(weights[:, 0]),
    )


def _check(path: Path, expected: str, good: np.ndarray) -> None:
    """Refuse a table one of whose grains is not `good` (NaN counts as bad)."""
    bad = np.flatnonzero(~np.all(good.reshape(len(good), -1), axis=1))
    if len(bad):
        raise UnreadableFile(path, f"expected {expected}; grain {bad[0] + 1} has another")
