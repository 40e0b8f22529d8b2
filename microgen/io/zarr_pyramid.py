"""Pyramids of OME-Zarr: level 0, and further ones each half as fine, down to one chunk.

A sample that is never held as a whole is made shard by shard: each is written and halved for the shard of the next
level that it is an eighth of, so that at any time there is about one shard of each level.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from microgen.grid import Grid
from microgen.io.zarr_array import CHUNK, Shards, write_array
from microgen.microstructure import TiledMicrostructure

Levels = list[tuple[str, list[float], list[float]]]
"""Path of each level, size of its voxels and centre of the first one, z y x."""
Progress = Callable[[float, str], None]
Place = tuple[int, ...]


def write_pyramid(folder: Path, values: np.ndarray, grid: Grid, *, label: bool) -> Levels:
    """Write all levels of values [(z,) y, x]: blocks of labels become the most frequent one, of others the mean."""
    levels = list(_levels(grid))
    for number, level in enumerate(levels):
        write_array(folder / str(number), values)
        if number + 1 < len(levels):
            values = _halved(values, level.factors, label=label)
    return [(str(k), level.size, level.centre) for k, level in enumerate(levels)]


def write_tiled_pyramids(
    root: Path,
    ms: TiledMicrostructure,
    tables: Mapping[str, np.ndarray | None],
    *,
    progress: Progress | None = None,
) -> Levels:
    """Write the pyramids of the grain labels, or of what a table [n + 1] says of each, below `root`."""
    levels = list(_levels(ms.grid))
    arrays = {
        name: [_begun(root / name / str(k), level, table) for k, level in enumerate(levels)]
        for name, table in tables.items()
    }
    first = next(iter(arrays.values()))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        finest = list(_finest(len(levels) - 1, (0,) * ms.grid.ndim, levels, first))
        made = ms.tiles.many([_box(first[0].part(where)) for where in finest])
        told = _told(made, len(finest), progress)
        _Writer(levels, arrays, tables, told, pool).shard(len(levels) - 1, (0,) * ms.grid.ndim)
    return [(str(k), level.size, level.centre) for k, level in enumerate(levels)]


@dataclass(frozen=True)
class _Level:
    shape: Place
    factors: Place
    """How many of its voxels make one of the next level, along each axis."""
    size: list[float]
    centre: list[float]


def _levels(grid: Grid) -> Iterator[_Level]:
    shape, size, origin = grid.shape[::-1], list(grid.spacing[::-1]), grid.origin[::-1]
    while True:
        factors = tuple(2 if n > 1 else 1 for n in shape)
        yield _Level(shape, factors, list(size), [o + h / 2 for o, h in zip(origin, size)])
        if max(shape) <= CHUNK:
            return
        shape, size = tuple(-(-n // f) for n, f in zip(shape, factors)), [h * f for h, f in zip(size, factors)]


def _begun(folder: Path, level: _Level, table: np.ndarray | None) -> Shards:
    return Shards.begun(folder, level.shape, np.dtype(np.int32) if table is None else table.dtype)


def _box(part: tuple[slice, ...]) -> tuple[Place, Place]:
    """First and last of z y x slices, in the order of memory."""
    return tuple(p.start for p in part[::-1]), tuple(p.stop for p in part[::-1])


def _told(made: Iterator[np.ndarray], count: int, progress: Progress | None) -> Iterator[np.ndarray]:
    for k, values in enumerate(made):
        if progress is not None:
            progress(k / count, f"shard {k + 1} of {count}")
        yield values


def _children(number: int, where: Place, levels: list[_Level], arrays: list[Shards]) -> Iterator[Place]:
    """Shards of the level below that a shard is made of."""
    below, shards = levels[number - 1], arrays[number - 1]
    for child in product(*(range(w * f, (w + 1) * f) for w, f in zip(where, below.factors))):
        if all(c * s < n for c, s, n in zip(child, shards.shard, below.shape)):
            yield child


def _finest(number: int, where: Place, levels: list[_Level], arrays: list[Shards]) -> Iterator[Place]:
    """Shards of level 0 in the order in which they are wanted."""
    if number == 0:
        yield where
        return
    for child in _children(number, where, levels, arrays):
        yield from _finest(number - 1, child, levels, arrays)


@dataclass(frozen=True, eq=False)
class _Writer:
    levels: list[_Level]
    arrays: Mapping[str, list[Shards]]
    tables: Mapping[str, np.ndarray | None]
    made: Iterator[np.ndarray]
    pool: ThreadPoolExecutor

    def shard(self, number: int, where: Place) -> dict[str, np.ndarray]:
        """Make, write and return one shard of every array, after those of finer levels that it is made of."""
        if number:
            blocks = self._halves(number, where)
        else:
            labels = next(self.made).transpose(2, 1, 0)
            blocks = {name: labels if table is None else table[labels] for name, table in self.tables.items()}
        for name, values in blocks.items():
            self.arrays[name][number].write(where, values, self.pool)
        return blocks

    def _halves(self, number: int, where: Place) -> dict[str, np.ndarray]:
        below, first = self.levels[number - 1], next(iter(self.arrays.values()))
        part = first[number].part(where)
        shape = [p.stop - p.start for p in part]
        blocks = {name: np.empty(shape, array[number].dtype) for name, array in self.arrays.items()}
        for child in _children(number, where, self.levels, first):
            corner = [p.start for p in first[number - 1].part(child)]
            for name, values in self.shard(number - 1, child).items():
                half = _halved(values, below.factors, label=True)
                shift = [c // f - p.start for c, f, p in zip(corner, below.factors, part)]
                blocks[name][tuple(slice(a, a + n) for a, n in zip(shift, half.shape))] = half
        return blocks


def _halved(values: np.ndarray, factors: tuple[int, ...], *, label: bool) -> np.ndarray:
    """Blocks of two voxels along each axis as one: the most frequent label, or the mean. Edges are repeated."""
    shape = [-(-n // f) for n, f in zip(values.shape, factors)]
    out = np.empty(shape, values.dtype)
    for start in range(0, shape[0], 16):  # some planes at a time: the blocks are taken apart into eight arrays
        piece = values[start * factors[0] : (start + 16) * factors[0]]
        piece = np.pad(piece, [(0, -n % f) for n, f in zip(piece.shape, factors)], mode="edge")
        parts = [piece[tuple(slice(a, None, f) for a, f in zip(at, factors))] for at in product(*map(range, factors))]
        out[start : start + 16] = _mode(parts) if label else _mean(parts, values.dtype)
    return out


def _mode(parts: list[np.ndarray]) -> np.ndarray:
    """The most frequent of the values at each place; of equally frequent ones the first."""
    best, most = parts[0].copy(), np.zeros(parts[0].shape, np.uint8)
    for part in parts:
        count = np.zeros(part.shape, np.uint8)
        for other in parts:
            count += part == other
        better = count > most
        best[better], most[better] = part[better], count[better]
    return best


def _mean(parts: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    mean = np.mean(parts, axis=0, dtype=np.float64)
    return (mean if dtype.kind == "f" else np.rint(mean)).astype(dtype)
