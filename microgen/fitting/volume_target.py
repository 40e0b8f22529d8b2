"""`VolumeTarget`: what a measured volume says of its solid, in blocks, at the size of voxel that a fit can afford."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.ndimage import generate_binary_structure, label, zoom

from microgen.descriptors.solid import solid, voxel_grid
from microgen.descriptors.thickness import thickness
from microgen.errors import InvalidParameter
from microgen.fitting.statistics import Statistic
from microgen.fitting.target import Target
from microgen.fitting.volume_statistics import Curves, Lengths, Mean, solid_kinds
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase

SPAN = 3.5  # voxels across the rarer phase that a fit needs: an interface takes one and a half
LARGEST = 72  # voxels along a block: more cost time and tell little more
SPECK = 27  # voxels: smaller islands and pores are noise of the scan, and each would count as much as a strut
FEW = 3.0  # walls and gaps along a block below which borders speak louder than the material


@dataclass(frozen=True, eq=False)
class VolumeTarget(Target):
    """Statistics of the solid of a volume, and the pipeline that samples go through as well."""

    grid: Grid
    """Of the volume as it was measured."""
    factor: int
    """So many voxels of the volume, along each axis, are one of the blocks."""
    block: tuple[int, ...]
    """Voxels of a block."""
    kinds: dict[str, Lengths | Mean | Curves]
    """How each statistic is measured, by name."""
    measured: dict[str, Any]
    """What each kind measured on the blocks, by the same names."""
    blocks: int
    """How many there are."""
    specks: int
    """Voxels of islands and pores that were taken away."""
    notes: tuple[str, ...] = ()
    """What was done to the volume."""
    warnings: tuple[str, ...] = ()
    """What it is too small or too coarse for."""

    support = "volume"

    @classmethod
    def measure(cls, volume: Microstructure, *, factor: int | None = None) -> VolumeTarget:
        """Measure the solid of a volume in two blocks along each axis.

        `factor` voxels are taken as one; by default as many as bring a block to 72 along an axis, while three and a
        half are left across the rarer phase. Raises InvalidParameter for planes, volumes with one phase, and
        volumes too small for two blocks of 16 voxels.
        """
        grid = voxel_grid(volume)
        if grid.ndim != 3:
            raise InvalidParameter("volume", expected="three dimensions", got=grid.shape)
        full, specks = cleaned(solid(volume))
        if full.all() or not full.any():
            remedy = "Choose another threshold: all voxels are on one side of it."
            got = "solid alone" if full.any() else "void alone"
            raise InvalidParameter("volume", expected="solid and void", got=got, remedy=remedy)
        rarer = full if full.mean() < 0.5 else ~full
        across = thickness(_as_solid(rarer, grid)).mean / min(grid.spacing)
        factor = factor or _factor(across, grid.shape)
        coarse, step = coarsened(full, factor), tuple(factor * h for h in grid.spacing)
        block = tuple(n // 2 for n in coarse.shape)
        if min(block) < 16:
            expected = f"at least {32 * factor} voxels along each axis"
            raise InvalidParameter("volume", expected=expected, got=grid.shape, remedy="Use a larger volume.")
        kinds = solid_kinds()
        parts = blocks(coarse, step, block)
        measured = {name: kind.measure(parts) for name, kind in kinds.items()}
        notes = _treatment(factor, step[0], specks / full.size)
        pitch = sum(kinds[name].value(measured[name]) for name in ("thickness", "separation"))  # type: ignore[arg-type]
        periods = min(n * h for n, h in zip(block, step)) / pitch
        return cls(grid, factor, block, kinds, measured, len(parts), specks, notes, _warnings(across / factor, periods))

    @property
    def statistics(self) -> dict[str, float]:
        """Value of each statistic, by name."""
        return {name: kind.value(self.measured[name]) for name, kind in self.kinds.items()}

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return self.warnings

    @property
    def fraction(self) -> float:
        """Volume fraction of the solid."""
        return float(self.kinds["volume_fraction"].value(self.measured["volume_fraction"]))

    @property
    def length(self) -> tuple[str, float, int]:
        """The statistic that the scale sets: name, value, power of length."""
        name = "two_point_correlation"
        return name, float(self.kinds[name].value(self.measured[name])), 1

    def wishes(self, *, turned: bool) -> dict[str, float]:
        """What to look for in an atlas, in powers of µm; of the void taken as the solid when `turned`."""
        value = self.statistics
        found = {name: value[name] for name in ("volume_fraction", "thickness")}
        found |= {"kappa_1": value["kappa_1"] / 1e3, "kappa_2": value["kappa_2"] / 1e3}
        found |= {"euler_density": value["euler_density"] / 1e9}
        if turned:
            found |= {"volume_fraction": 1 - value["volume_fraction"], "thickness": value["separation"]}
            found |= {"kappa_1": -found["kappa_2"], "kappa_2": -found["kappa_1"]}
        return {name: v for name, v in found.items() if math.isfinite(v)}

    @property
    def window(self) -> tuple[int, ...]:
        """A block, in voxels of the volume."""
        return tuple(self.factor * n for n in self.block)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Of the blocks' voxels, µm."""
        return tuple(self.factor * h for h in self.grid.spacing)

    def parts(self, sample: Microstructure) -> list[Microstructure]:
        """A sample in blocks like those of the target; voxels of another size are interpolated.

        Raises InvalidParameter for planes and for samples smaller than a block.
        """
        grid = voxel_grid(sample)
        if grid.ndim != 3:
            raise InvalidParameter("sample", expected="three dimensions", got=grid.shape)
        least = SPECK * float(np.prod(self.grid.spacing) / np.prod(grid.spacing))  # the same volume in other voxels
        full = cleaned(solid(sample), least)[0]
        coarse = _resampled(full, [s / h for s, h in zip(self.spacing, grid.spacing)])
        if any(n < b for n, b in zip(coarse.shape, self.block)):
            needed = " x ".join(f"{b * h:.4g}" for b, h in zip(self.block, self.spacing))
            raise InvalidParameter("sample", expected=f"{needed} µm or more", got=grid.lengths)
        return blocks(coarse, self.spacing, self.block)

    def floors(self, count: int, *, seed: int) -> dict[str, tuple[float, float]]:
        """Noise floor of each statistic (median, p95) for so many blocks of a sample."""
        rng = np.random.SeedSequence(seed, spawn_key=(2,))
        return {name: kind.floor(self.measured[name], count, np.random.default_rng(rng)) for name, kind in self._items}

    def compare(
        self,
        samples: Sequence[Microstructure],
        *,
        seed: int,
        only_objective: bool = False,
        floors: dict[str, tuple[float, float]] | None = None,
    ) -> dict[str, Statistic]:
        """Every statistic of samples, pooled, against the target's, with the noise floor for as many blocks."""
        parts = [part for sample in samples for part in self.parts(sample)]
        floors = floors or self.floors(len(parts), seed=seed)
        return {
            name: statistic(kind, self.measured[name], kind.measure(parts), floors[name])
            for name, kind in self._items
            if kind.in_objective or not only_objective
        }

    @property
    def _items(self) -> list[tuple[str, Lengths | Mean | Curves]]:
        return list(self.kinds.items())


def statistic(kind: Any, there: Any, here: Any, floor: tuple[float, float]) -> Statistic:
    """Target against achieved; nan where one of them has nothing."""
    known = kind.count(there) and kind.count(here)
    return Statistic(
        target=kind.value(there) if kind.count(there) else math.nan,
        achieved=kind.value(here) if kind.count(here) else math.nan,
        distance=kind.distance(there, here) if known else math.nan,
        noise_floor=floor[0],
        noise_floor_p95=floor[1],
        in_objective=kind.in_objective,
        unit=kind.unit,
        target_values=kind.shown(there),
        achieved_values=kind.shown(here),
    )


def cleaned(full: np.ndarray, least: float = SPECK) -> tuple[np.ndarray, int]:
    """Without islands of solid and closed pores of less than `least` voxels, and how many voxels that changed."""
    out = full.copy()
    for inside, structure in ((True, generate_binary_structure(full.ndim, full.ndim)), (False, None)):
        pieces = cast(np.ndarray, label(out == inside, structure)[0])  # pyright: ignore[reportIndexIssue]
        sizes = np.bincount(pieces.ravel())
        small = sizes < least
        small[0] = False
        out[small[pieces]] = not inside
    return out, int(np.count_nonzero(out != full))


def coarsened(full: np.ndarray, factor: int) -> np.ndarray:
    """Voxels of `factor` along each axis, solid where most of them are; of halves every second one is."""
    if factor == 1:
        return full
    shape = [n // factor for n in full.shape]
    cut = full[tuple(slice(0, n * factor) for n in shape)]
    share = cut.reshape([k for n in shape for k in (n, factor)]).mean(axis=(1, 3, 5))
    odd = np.indices(shape).sum(axis=0) % 2 == 1
    return (share > 0.5) | ((share == 0.5) & odd)


def _resampled(full: np.ndarray, ratio: list[float]) -> np.ndarray:
    """Voxels `ratio` times as large along each axis."""
    factor = max(1, round(ratio[0]))
    if all(abs(r - factor) < 0.02 * factor for r in ratio):
        return coarsened(full, factor)
    finer = max(1, int(min(ratio)))  # whole factors first: they keep thin walls
    whole = coarsened(full, finer).astype(np.float32)
    share = zoom(whole, [finer / r for r in ratio], order=1, grid_mode=True, mode="nearest")
    return np.asarray(share) > 0.5


def blocks(full: np.ndarray, spacing: tuple[float, ...], shape: tuple[int, ...]) -> list[Microstructure]:
    """As many blocks of a shape as fit, side by side, none of which repeats."""
    counts = [n // b for n, b in zip(full.shape, shape)]
    corners = np.stack(np.meshgrid(*(np.arange(c) for c in counts), indexing="ij"), -1).reshape(-1, full.ndim)
    grid = Grid(tuple(shape), spacing)
    return [
        _as_solid(full[tuple(slice(k * b, (k + 1) * b) for k, b in zip(corner, shape))], grid) for corner in corners
    ]


def _as_solid(full: np.ndarray, grid: Grid) -> Microstructure:
    return Microstructure(grid, np.where(full, 0, -1).astype(np.int16), (Phase("solid"),))


def _factor(across: float, shape: tuple[int, ...]) -> int:
    """Voxels to take as one: as many as make blocks of LARGEST, but leave SPAN across the rarer phase."""
    return max(1, min(int(across / SPAN), math.ceil(max(shape) / 2 / LARGEST)))


def _treatment(factor: int, step: float, specks: float) -> tuple[str, ...]:
    notes = []
    if factor > 1:
        notes.append(f"{factor} voxels along each axis are taken as one of {step:.4g} µm")
    if specks > 0:
        notes.append(f"islands and pores below {SPECK} voxels are taken away: {specks:.2%} of the volume")
    return tuple(notes)


def _warnings(across: float, periods: float) -> tuple[str, ...]:
    notes = []
    if across < SPAN:
        notes.append(f"the rarer phase is {across:.1f} voxels wide on average: its shape is hardly resolved")
    if periods < FEW:
        notes.append(
            f"a block holds {periods:.1f} walls and gaps along an axis: noise floors are wide, a fit proves little"
        )
    return tuple(notes)
