"""`Polycrystal`: parameters of a polycrystal, and its samples as anisotropic power diagrams with prescribed volumes.

A_i = v_i^(-2/d) · S_i with det S_i = 1 (Buze, Feydy, Roper, Sedighiani and Bourne 2024, arXiv 2403.03571): the
unit ball of A_i is an ellipsoid of the grain's own size. Torch is imported by `sample` only.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from microgen.errors import InvalidParameter
from microgen.generators.box import implied_mean, require_agreement, require_voxels
from microgen.generators.filling import Filling, device_for
from microgen.generators.laws import AspectRatioLaw, Fabric, PhaseLaw, SizeLaw, Texture, number, require, strata
from microgen.generators.phases import assign_phases
from microgen.generators.region import Shape, voxels
from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure, Phase, TiledMicrostructure
from microgen.provenance import Provenance

if TYPE_CHECKING:
    from microgen.core import Solution

Progress = Callable[[float, str], None]


class Layout(NamedTuple):
    """All that is drawn of a sample before any volume is solved for. Lengths in µm."""

    sites: np.ndarray
    """float64 [n, d]"""
    metrics: np.ndarray
    """float64 [n, d, d], 1/µm²"""
    volumes: np.ndarray
    """float64 [n], summing to the box"""
    phase_id: np.ndarray
    """int16 [n]"""
    orientation: np.ndarray
    """float64 [n, 4]"""
    hard_core: float
    """The factor that holds: the one asked for, or less where it could not be packed."""


@dataclass(frozen=True)
class Polycrystal:
    """A polycrystal: sizes, shapes, phases and orientations of its grains, and how they are placed."""

    grains: int = 1000
    """Number of grains in the box."""
    size: SizeLaw = field(default_factory=SizeLaw)
    """Law of the equivalent-sphere diameters."""
    aspect_ratio: AspectRatioLaw = field(default_factory=AspectRatioLaw)
    """Law of the ratio of long to short axis."""
    fabric: Fabric = field(default_factory=Fabric)
    """Law of the directions of the symmetry axes: long ones of prolate grains, short ones of oblate grains."""
    phases: tuple[PhaseLaw, ...] = (PhaseLaw("material"),)
    """Phases and their shares of the volume."""
    texture: Texture = field(default_factory=Texture)
    """Orientations of the crystals."""
    hard_core: float = 0.6
    """Sites keep this share of the sum of their grains' radii apart: 0 no order, 0.7 the most that packs."""
    lloyd: int = 0
    """Lloyd steps that make the grains rounder and more alike."""
    tolerance: float = 0.01
    """Relative error allowed for each grain's volume."""
    cells: Literal["ellipsoidal", "laguerre"] = "ellipsoidal"
    """ellipsoidal: curved boundaries, shapes of their own, volumes met in voxels; laguerre: grains with flat
    boundaries and no axes, exact polyhedra whose volumes are met to 1e-6 without a grid."""
    exponent: float = 2.0
    """How hard grains are: 0.5 very soft, filling what is left; 2 usual; 10 hard, each keeping to its ellipsoid."""
    void: float = 0.0
    """Share left empty between the grains (of the mask, where there is one)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))
        fine = number(self.grains) and int(self.grains) == self.grains and self.grains >= 1
        require(fine, "grains", "a positive integer", self.grains)
        require(
            number(self.hard_core) and 0 <= self.hard_core <= 1, "hard_core", "a number from 0 to 1", self.hard_core
        )
        fine = number(self.lloyd) and int(self.lloyd) == self.lloyd and 0 <= self.lloyd <= 1000
        require(fine, "lloyd", "an integer from 0 to 1000", self.lloyd)
        fine = number(self.tolerance) and 0 < self.tolerance < 1
        require(fine, "tolerance", "a number between 0 and 1", self.tolerance, remedy="0.01 is usual.")
        fine = number(self.exponent) and 0.1 <= self.exponent <= 32
        remedy = "0.5 is very soft, 2 usual, 10 hard."
        require(fine, "exponent", "a number from 0.1 to 32", self.exponent, remedy=remedy)
        require(number(self.void) and 0 <= self.void < 1, "void", "a share from 0 to below 1", self.void)
        self._check_cells()
        _check_phases(self.phases)
        fine = self.texture.kind == "random" or len(self.texture.orientations) == len(self.phases)
        require(fine, "texture.orientations", "one set per phase", len(self.texture.orientations))
        fine = len(self.texture.misorientation) in (0, len(self.phases))
        require(fine, "texture.misorientation", "one set per phase, or none", len(self.texture.misorientation))

    def _check_cells(self) -> None:
        require(self.cells in ("ellipsoidal", "laguerre"), "cells", "ellipsoidal or laguerre", self.cells)
        if self.cells == "laguerre" and self.aspect_ratio.mean > 1:
            remedy = "Set the mean aspect ratio to 1, also beside a scan, or use cells ellipsoidal."
            expected = "1 where cells are laguerre, which have no axes"
            require(False, "aspect_ratio.mean", expected, self.aspect_ratio.mean, remedy=remedy)
        for name in ("exponent", "void") if self.cells == "laguerre" else ():
            value, usual = getattr(self, name), type(self).__dataclass_fields__[name].default
            require(value == usual, name, f"{usual:g} where cells are laguerre", value, remedy="Use cells ellipsoidal.")

    def sample(
        self,
        grid: Grid,
        *,
        seed: int,
        device: str = "cpu",
        mask: np.ndarray | Shape | None = None,
        progress: Progress | None = None,
    ) -> Microstructure:
        """One sample on the grid: grain_id, phase_id, the whole table of grains, and provenance.

        `mask` is the part of the box that grains and void share, bool [shape] or a shape such as `meshing.Clip`; it is
        the `measured` part of the sample. Outside, and where there is void, grain_id is 0 and phase_id is -1. Where
        there is any of these, or another exponent than 2, the table of grains holds no weights: those of a table are
        of the quadratic diagram. On which `device` volumes are solved for: see `device`.

        Raises InvalidParameter when grid and parameters do not fit together, NotConverged (with the sample as its
        `best`) when a grain of 400 voxels or more misses its volume in voxel counts, or a smaller one in
        sub-voxel volume, by more than the tolerance.
        """
        from microgen.generators.solve import converged

        device = self.device(device, grid.ndim, beside="" if mask is None else "a mask", grid=grid)
        solved = self._solved(grid, seed, labels=True, mask=mask, device=device, progress=progress)
        assert solved.solution.labels is not None
        grain_id = solved.solution.labels.numpy().astype(np.int32, copy=False)
        phases = tuple(Phase(p.name, p.laue_group, p.lattice) for p in self.phases)
        phase_id = np.append(solved.layout.phase_id, -1).astype(np.int16)[grain_id - 1]  # -1 of void
        inside, grains = solved.filling.inside, self._table(grid, solved)
        sample = Microstructure(grid, phase_id, phases, grain_id, measured=inside, grains=grains)
        sample = replace(sample, provenance=self._provenance(grid, seed, device, solved))
        return converged(sample, solved.solution)

    def stream(
        self, grid: Grid, *, seed: int, device: str = "cpu", progress: Progress | None = None
    ) -> TiledMicrostructure:
        """The same sample for boxes whose labels do not fit in memory: any part of it, made when it is asked for.

        `microgen.write` brings it to .zarr, .tif and .csv part by part. Labels are those of `sample` on the CPU, to the
        last bit, and so is the table of grains. On 3-D grids without void or mask, with the exponent 2, on the CPU.
        Raises as `sample` does.
        """
        from microgen.generators.solve import converged

        for name, usual in (("exponent", 2.0), ("void", 0.0)):
            require(getattr(self, name) == usual, name, f"{usual:g} of what is streamed", getattr(self, name))
        require(grid.ndim == 3, "shape", "3 numbers of voxels to be streamed", grid.shape)
        device = self.device(device, beside="samples that are streamed")
        solved = self._solved(grid, seed, labels=False, progress=progress)
        assert solved.solution.tiles is not None
        phases = tuple(Phase(p.name, p.laue_group, p.lattice) for p in self.phases)
        grains = self._table(grid, solved)
        made = self._provenance(grid, seed, device, solved)
        return converged(TiledMicrostructure(grid, solved.solution.tiles, phases, grains, made), solved.solution)

    def _solved(
        self,
        grid: Grid,
        seed: int,
        *,
        labels: bool,
        mask: np.ndarray | Shape | None = None,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> _Solved:
        from microgen.generators.exact import solve_exact
        from microgen.generators.solve import solve

        began = time.perf_counter()
        filling, told = self._filling(mask, grid)
        filling = replace(filling, device=device)
        layout = self.layout(grid, seed=seed, mask=mask)
        if progress is not None:
            progress(0.05, f"placed {self.grains} grains")
        how: dict[str, Any] = {"tolerance": self.tolerance, "steps": self.lloyd, "labels": labels, "progress": progress}
        if self.cells == "laguerre":
            solution, reshaped = solve_exact(layout, grid, **how)
        else:
            solution, reshaped = solve(layout, grid, filling=filling, **how)
        layout, left = self.turned(layout, solution.slabs(), grid, seed)
        achieved: dict[str, Any] = solution.figures | {"hard_core": layout.hard_core, "reshaped": reshaped}
        achieved["seconds"] = time.perf_counter() - began
        if not math.isnan(left):
            achieved["misorientation_distance"] = left
        if not filling.plain:
            assert solution.labels is not None
            achieved["void"] = filling.left(solution.labels.numpy())
        return _Solved(layout, solution, filling, achieved, told)

    def _provenance(self, grid: Grid, seed: int, device: str, solved: _Solved) -> Provenance:
        configuration = {**self.configuration(), "grid": asdict(grid), **solved.told}
        return Provenance("Polycrystal.sample", configuration, seed, device=device, achieved=solved.achieved)

    def samples(
        self,
        grid: Grid,
        n: int,
        *,
        seed: int,
        mask: np.ndarray | Shape | None = None,
        workers: int | None = None,
        members: Sequence[int] | None = None,
    ) -> Iterator[Microstructure]:
        """Members 0..n-1 of an ensemble (or only those listed), in order, all in one mask; see `ensemble.samples`."""
        from microgen.generators.ensemble import samples

        made: Any = self if mask is None else _Masked(self, mask)
        return samples(made, grid, n, seed=seed, workers=workers, members=members)

    def layout(self, grid: Grid, *, seed: int, mask: np.ndarray | Shape | None = None) -> Layout:
        """Draw sizes, shapes, phases, orientations and sites; each from its own stream of the seed.

        A law that changes does not reshuffle what is drawn from the others.
        """
        from microgen.generators.placement import place_sites  # numba takes a while to import

        self.check(grid, seed=seed, mask=mask)
        d, filling = grid.ndim, self._filling(mask, grid)[0]
        relative = self.size.relative(strata(self.grains, _stream(seed, "size")))
        fractions, factors = ([getattr(p, f) for p in self.phases] for f in ("fraction", "size_factor"))
        phase_id = assign_phases(relative**d, fractions, [f**d for f in factors], _stream(seed, "phases"))
        volumes = (relative * np.asarray(factors)[phase_id]) ** d
        volumes *= math.prod(grid.lengths) * filling.share / volumes.sum()
        shapes = self._shapes(d, seed)
        placed = place_sites(
            shapes,
            volumes,
            grid.lengths,
            periodic=grid.periodic,
            hard_core=self.hard_core,
            rng=_stream(seed, "sites"),
            inside=filling.inside,
        )
        metrics = shapes * (volumes ** (-2 / d))[:, None, None]
        sites = placed.sites + np.asarray(grid.origin)
        return Layout(sites, metrics, volumes, phase_id, self._orientations(phase_id, seed), placed.hard_core)

    def check(self, grid: Grid, *, seed: int, mask: np.ndarray | Shape | None = None) -> None:
        """Raise InvalidParameter when grid, seed, mask and parameters do not fit together."""
        require(isinstance(grid, Grid), "grid", "a Grid", grid)
        fine = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0
        require(fine, "seed", "an integer >= 0", seed)
        if self.cells == "laguerre" and grid.ndim != 3:
            require(False, "shape", "3 numbers of voxels where cells are laguerre", grid.shape)
        if self.cells == "laguerre" and mask is not None:
            require(False, "mask", "none where cells are laguerre", "a mask", remedy="Use cells ellipsoidal.")
        share = self._filling(mask, grid)[0].share
        require_voxels(self.grains, grid, share)
        # Measured laws carry their own scale in the quantiles; only a mean that was named binds.
        implied = implied_mean(self.size, self.grains, grid) * share ** (1 / grid.ndim)
        require_agreement(self.size.mean, implied, self.grains, grid)

    def _filling(self, mask: np.ndarray | Shape | None, grid: Grid) -> tuple[Filling, dict[str, Any]]:
        """What the grains fill, and what provenance says of the mask."""
        if mask is None:
            return Filling(self.exponent, self.void), {}
        inside, told = voxels(mask, grid)
        return Filling(self.exponent, self.void, inside), {"mask": told}

    def device(self, asked: str, ndim: int = 3, *, beside: str = "", grid: Grid | None = None) -> str:
        """Where samples are made, "cpu" or "cuda", for what was `asked`: auto, cpu or cuda.

        `beside` names what else of the run only a CPU does. Under auto it then does, also where the GPU's memory does
        not hold the `grid`; under cuda, raises InvalidParameter with that name, and EnvironmentProblem where there is
        no GPU to be used.
        """
        names = {"planes": ndim == 2, "void": self.void > 0, "an exponent other than 2": self.exponent != 2}
        lacks = {beside: bool(beside), **names, "cells laguerre": self.cells == "laguerre"}
        return device_for(asked, lacks, grid=grid, grains=self.grains)

    def configuration(self) -> dict[str, Any]:
        """All parameters as nested dicts of plain values; `from_configuration` is the inverse."""
        return _plain(asdict(self))

    @classmethod
    def from_configuration(cls, data: Mapping[str, Any]) -> Polycrystal:
        """From what `configuration` gave, maybe by way of JSON; keys that are no parameter are left aside."""
        parts: dict[str, Any] = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        laws = {"size": SizeLaw, "aspect_ratio": AspectRatioLaw, "fabric": Fabric, "texture": Texture}
        parts.update({name: law(**parts[name]) for name, law in laws.items() if name in parts})
        if "phases" in parts:
            parts["phases"] = tuple(PhaseLaw(**p) for p in parts["phases"])
        return cls(**parts)

    def _shapes(self, ndim: int, seed: int) -> np.ndarray:
        """Unit-determinant shapes [n, d, d] of spheroids: their axis is a (oblate: 1/a) times as long as the others."""
        ratio = self.aspect_ratio.at(strata(self.grains, _stream(seed, "aspect_ratio")))
        if self.aspect_ratio.form == "oblate" and ndim == 3:
            ratio = 1 / ratio
        axis = self.fabric.directions(self.grains, ndim, _stream(seed, "fabric"))
        outer = axis[:, :, None] * axis[:, None, :]
        along, across = ratio ** (-2 * (ndim - 1) / ndim), ratio ** (2 / ndim)
        return across[:, None, None] * (np.eye(ndim) - outer) + along[:, None, None] * outer

    def _orientations(self, phase_id: np.ndarray, seed: int) -> np.ndarray:
        from microgen.orientation import perturb, random_orientations

        rng = _stream(seed, "texture")
        orientation = random_orientations(len(phase_id), rng)
        for p in range(len(self.phases)) if self.texture.kind == "measured" else ():
            q, weight = self.texture.orientations[p], self.texture.weights[p]
            mine = np.flatnonzero(phase_id == p)
            if len(q) and len(mine):
                chosen = np.searchsorted(np.cumsum(weight) / weight.sum(), strata(len(mine), rng))
                orientation[mine] = perturb(q[np.minimum(chosen, len(q) - 1)], self.texture.kernel, rng)
        return orientation

    def turned(self, layout: Layout, slabs: Iterable[np.ndarray], grid: Grid, seed: int) -> tuple[Layout, float]:
        """The layout with orientations exchanged until boundaries are turned as asked for; what is left, radians.

        Labels come in slabs along the first axis, which are asked for only where they are needed.
        """
        if not self.texture.misorientation:
            return layout, math.nan
        from microgen.generators.misorientation import turned

        laws = [(p.laue_group, wanted) for p, wanted in zip(self.phases, self.texture.misorientation)]
        rng = _stream(seed, "misorientation")
        orientation, left = turned(layout.orientation, layout.phase_id, layout.volumes, slabs, grid, laws, rng)
        return layout._replace(orientation=orientation), left

    def _table(self, grid: Grid, solved: _Solved) -> Grains:
        layout, solution = solved.layout, solved.solution
        return Grains(
            layout.phase_id,
            layout.orientation,
            volume=(solution.counts if solution.exact is None else solution.exact).numpy() * grid.cell_measure,
            volume_target=layout.volumes,
            sites=_within(solution.diagram.sites.numpy(), grid),
            metrics=solution.diagram.metrics.numpy(),
            weights=solution.diagram.weights.numpy() if solved.filling.plain else None,
        )


class _Solved(NamedTuple):
    """A layout with the diagram that gives it its volumes, and what was achieved."""

    layout: Layout
    solution: Solution
    filling: Filling
    achieved: dict[str, Any]
    told: dict[str, Any]
    """What the configuration says of the mask."""


@dataclass(frozen=True, eq=False)
class _Masked:
    """A generator with its mask, as an ensemble wants it."""

    generator: Polycrystal
    mask: np.ndarray | Shape

    def check(self, grid: Grid, *, seed: int) -> None:
        self.generator.check(grid, seed=seed, mask=self.mask)

    def sample(self, grid: Grid, *, seed: int) -> Microstructure:
        return self.generator.sample(grid, seed=seed, mask=self.mask)


def _within(sites: np.ndarray, grid: Grid) -> np.ndarray:
    """Sites in the box: those that left it along a periodic axis come back on its other side."""
    origin = np.asarray(grid.origin)
    return np.where(grid.periodic, (sites - origin) % grid.lengths + origin, sites)


def _check_phases(phases: tuple[PhaseLaw, ...]) -> None:
    require(len(phases) >= 1, "phases", "at least one phase", phases)
    names = [p.name for p in phases]
    require(len(set(names)) == len(names), "phases.name", "names that differ", names)
    total = sum(p.fraction for p in phases)
    if abs(total - 1) > 1e-6:
        shares = ", ".join(f"{p.name} {p.fraction / total:.6g}" for p in phases)
        raise InvalidParameter("phases.fraction", expected="shares that sum to 1", got=total, remedy=f"Write {shares}.")


def _stream(seed: int, name: str) -> np.random.Generator:
    """A random generator of its own for each law."""
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=(zlib.crc32(name.encode()),)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
