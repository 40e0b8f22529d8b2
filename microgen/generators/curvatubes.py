"""`Curvatubes`: foams, bone, tubes and membranes as minimisers of a curvature energy at fixed mass.

The energy is the integral of p(kappa_1, kappa_2) = a20 k1² + a11 k1 k2 + a02 k2² + b10 k1 + b01 k2 + c over the
surface (Song 2022, JMIV 64), taken as a phase field u; solid is u > 0 and kappa > 0 where solid is convex.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from microgen.core.device import chosen
from microgen.errors import EnvironmentProblem, InvalidParameter, NotConverged
from microgen.generators.curvature_presets import PRESETS, step_for
from microgen.generators.laws import number, require
from microgen.generators.polynomial import Coefficients, Graded
from microgen.generators.region import Region, Shape, digest, region, start_of
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.provenance import Provenance

if TYPE_CHECKING:
    from microgen.core.flow import FieldSolution, FlowState

Progress = Callable[[float, str], None]
LARGEST = 1e5
"""Voxels along an axis, above which a remedy is none."""


@dataclass(frozen=True)
class Curvatubes:
    """A texture that minimises a curvature energy at fixed mass. Lengths in the unit of the coefficients."""

    coefficients: Coefficients = field(default_factory=Coefficients)
    """The polynomial of the curvatures."""
    mass: float = -0.6
    """Mean of u, between -1 (void) and 1 (solid)."""
    eps: float = 0.02
    """Width of the interface."""
    dx: float = 0.01
    """Length one voxel stands for along its shortest edge."""
    orientation: tuple[float, ...] = ()
    """Preferred direction; none when empty. Positive weight: interfaces turn their normals away from it."""
    orientation_weight: float = 0.0
    """Of the orientation term, in the unit of c."""
    graded: Graded | None = None
    """Coefficients and mass that change through the box, in place of the two above."""

    def __post_init__(self) -> None:
        if isinstance(self.coefficients, (list, tuple)):
            require(len(self.coefficients) == 6, "coefficients", "six numbers, a20 to c", self.coefficients)
            object.__setattr__(self, "coefficients", Coefficients(*self.coefficients))
        for mass in (self.mass, *(self.graded.mass if self.graded else ())):
            require(number(mass) and -1 < mass < 1, "mass", "a number between -1 and 1", mass, remedy=_MASS)
        require(number(self.dx) and self.dx > 0, "dx", "a positive length", self.dx)
        fine = number(self.eps) and self.eps >= 1.5 * self.dx * (1 - 1e-9)
        require(fine, "eps", f"at least 1.5 voxels, {1.5 * self.dx:g}", self.eps, remedy="Use a smaller dx.")
        fine = len(self.orientation) in (0, 2, 3) and all(number(x) for x in self.orientation)
        require(fine, "orientation", "a direction, or nothing", self.orientation)
        fine = not self.orientation or math.hypot(*self.orientation) > 0
        require(fine, "orientation", "a direction that is not zero", self.orientation)

    @classmethod
    def preset(
        cls, name: str, *, thickness: float | None = None, spacing: float = 1.0, eps: float | None = None
    ) -> Curvatubes:
        """A named texture; `curvature_presets.PRESETS` says what each looks like and where it comes from.

        With a mean `thickness` of the solid, in the unit of the `spacing` of a voxel, dx is chosen for it.
        """
        if name not in PRESETS:
            raise InvalidParameter("preset", expected="one of " + ", ".join(PRESETS), got=name)
        preset, width = PRESETS[name], cls.eps if eps is None else eps
        dx = preset.dx if thickness is None else step_for(name, thickness, spacing, eps=width)
        return cls(Coefficients(*preset.coefficients), preset.mass, dx=dx, eps=width)

    @classmethod
    def presets(cls) -> dict[str, str]:
        """Names of the presets, each with a line on what it looks like and where it comes from."""
        return {name: f"{preset.looks} ({preset.source})" for name, preset in PRESETS.items()}

    def scaled(self, length: float) -> Curvatubes:
        """The same texture with features `length` times as large; eps and dx stay."""
        graded = self.graded
        if graded is not None:
            graded = replace(graded, coefficients=tuple(c.scaled(length) for c in graded.coefficients))
        return replace(self, coefficients=self.coefficients.scaled(length), graded=graded)

    def sample(
        self,
        grid: Grid,
        *,
        seed: int,
        device: str = "cpu",
        mask: np.ndarray | Shape | None = None,
        start: str | np.ndarray | FlowState = "noise",
        progress: Progress | None = None,
        on_state: Callable[[FlowState], None] | None = None,
    ) -> Microstructure:
        """One sample: u as `level_set` (solid where u > 0), `phase_id` 0 in the solid and -1 in the void.

        `mask` is the part of the box to keep, bool [shape] or a shape such as `meshing.Clip`: a texture that fills the
        box is cut to it, with mean and volume fraction over the mask alone; outside there is void, and `measured` is
        the mask. The cut runs below the voxel at the surface of a shape, along the voxels of an array.

        `start` is "noise", "spheres" or "tubes" drawn from the seed; or a field (solid above 0) of which all but the
        mean is taken; or a state handed to `on_state` before, to go on from.

        The status among the achieved figures is "converged", or "capped" where the texture still moved after the most
        steps that are made: it has its mass and is at rest, and more steps would have made it coarser. Raises
        InvalidParameter when these values do not fit together; NotConverged, with the sample as its `best`, when no
        texture forms ("no_texture") or the energy stays no number ("diverged").
        """
        self.check(grid, seed=seed)
        device = chosen(device)
        task = _Task(grid, seed, self._region(mask, grid), start_of(start, grid), _told(start), time.perf_counter())
        try:
            solution = self._solve(task, device, progress, on_state)
        except NotConverged as error:
            best = None if error.best is None else self._assemble(task, cast("FieldSolution", error.best), device)
            raise NotConverged(str(error), best=best) from error
        sample = self._assemble(task, solution, device)
        if solution.status == "no_texture":
            message = "no texture formed: u keeps one sign or stays near zero. Use another mass or other coefficients."
            raise NotConverged(message, best=sample)
        return sample

    def _solve(
        self, task: _Task, device: str, progress: Progress | None, on_state: Callable[[FlowState], None] | None
    ) -> FieldSolution:
        from microgen.core.flow import flow

        grid, mass, eps, coefficients = task.grid, self.mass, self.eps, self.coefficients.values
        if self.graded is not None:
            coefficients, mass, eps = self.graded.fields(grid.shape, eps=self.eps)
        return flow(
            tuple(a / self._factor for a in coefficients),
            mass=mass,
            eps=eps,
            spacing=self.steps(grid),
            shape=grid.shape,
            periodic=grid.periodic,
            seed=task.seed,
            start=task.start,
            mask=None if task.region is None else task.region.inside,
            orientation=self._orientation(),
            device=device,
            progress=progress,
            on_state=on_state,
        )

    @staticmethod
    def device(asked: str) -> str:
        """ "cpu" or "cuda" for "auto", "cpu" or "cuda"; raises EnvironmentProblem where no GPU can be used."""
        return chosen(asked)

    @staticmethod
    def state(fields: Mapping[str, Any]) -> FlowState:
        """A state from its fields, as a file keeps them: a `start` for `sample`."""
        from microgen.core.flow import FlowState

        parts = {k: v for k, v in fields.items() if k in FlowState.__dataclass_fields__}
        return FlowState(**{**parts, "energy": tuple(np.asarray(parts.get("energy", ())).tolist())})

    def samples(
        self,
        grid: Grid,
        n: int,
        *,
        seed: int,
        mask: np.ndarray | Shape | None = None,
        start: str | np.ndarray = "noise",
        workers: int | None = None,
        members: Sequence[int] | None = None,
    ) -> Iterator[Microstructure]:
        """Members 0..n-1 of an ensemble (or only those listed), in order, all in one mask; see `ensemble.samples`."""
        from microgen.generators.ensemble import samples

        self.check(grid, seed=seed, mask=mask, start=start)
        return samples(_Begun(self, mask, start), grid, n, seed=seed, workers=workers, members=members)  # type: ignore[arg-type]

    def steps(self, grid: Grid) -> tuple[float, ...]:
        """Spacing of the grid in the unit of the coefficients: dx along the shortest edge of a voxel."""
        return tuple(h / min(grid.spacing) * self.dx for h in grid.spacing)

    def check(
        self,
        grid: Grid,
        *,
        seed: int,
        mask: np.ndarray | Shape | None = None,
        start: str | np.ndarray | FlowState = "noise",
    ) -> None:
        """Raise InvalidParameter when parameters, grid, seed, mask and start do not fit together."""
        require(isinstance(grid, Grid), "grid", "a Grid", grid)
        fine = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0
        require(fine, "seed", "an integer >= 0", seed)
        steps = self.steps(grid)
        least, most = min(self._widths), max(self._widths)
        fine = least >= 1.5 * max(steps) * (1 - 1e-9)
        expected = f"at least 1.5 voxels along every axis, {1.5 * max(steps):g}"
        require(fine, "eps", expected, least, remedy="Use a smaller dx, or voxels that are nearer to cubes.")
        shortest = min(n * h for n, h in zip(grid.shape, steps))
        fine = most <= shortest / 10 * (1 + 1e-9)
        needed = [10 * most / h - 1e-9 for h in steps]
        voxels = " x ".join(str(math.ceil(n)) for n in needed) if max(needed) < LARGEST else ""
        remedy = f"Use at least {voxels} voxels, or a smaller eps." if voxels else "Use a smaller eps, or a larger dx."
        require(fine, "eps", f"at most a tenth of the box, {shortest / 10:g}", most, remedy=remedy)
        _require_memory(grid, graded=self.graded is not None, masked=mask is not None)
        fine = len(self.orientation) in (0, grid.ndim)
        require(fine, "orientation", f"{grid.ndim} components", self.orientation)
        fine = self.graded is None or max(self.graded.axes) < grid.ndim
        require(fine, "graded.axes", f"axes below {grid.ndim}", self.graded and self.graded.axes)
        self._region(mask, grid)
        start_of(start, grid)

    def configuration(self) -> dict[str, Any]:
        """All parameters as nested dicts of plain values; `from_configuration` is the inverse."""
        return asdict(self)

    @classmethod
    def from_configuration(cls, data: Mapping[str, Any]) -> Curvatubes:
        """From what `configuration` gave, maybe by way of JSON; keys that are no parameter are left aside."""
        parts: dict[str, Any] = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        if "coefficients" in parts:
            parts["coefficients"] = Coefficients(**parts["coefficients"])
        if parts.get("graded") is not None:
            g = parts["graded"]
            sets = tuple(Coefficients(**c) for c in g["coefficients"])
            parts["graded"] = Graded(sets, tuple(g["mass"]), tuple(g["axes"]), tuple(g.get("eps", ())))
        return cls(**{**parts, "orientation": tuple(parts.get("orientation", ()))})

    def _orientation(self) -> tuple[float, tuple[float, ...]] | None:
        if not self.orientation:
            return None
        size = math.hypot(*self.orientation)
        return self.orientation_weight / self._factor, tuple(x / size for x in self.orientation)

    @property
    def bounded_below(self) -> bool:
        """False when only the blur of the flow keeps the energy from falling without end, as in some published sets."""
        return all(c.bounded_below for c in self._sets)

    @property
    def _widths(self) -> tuple[float, ...]:
        """Every eps that occurs."""
        return (self.graded.eps if self.graded else ()) or (self.eps,)

    def _region(self, mask: np.ndarray | Shape | None, grid: Grid) -> Region | None:
        return None if mask is None else region(mask, grid, eps=max(self._widths), steps=self.steps(grid))

    def _assemble(self, task: _Task, solution: FieldSolution, device: str) -> Microstructure:
        grid, inside, u = task.grid, None, solution.field
        if task.region is not None:
            inside, u = task.region.inside, task.region.cut(u, grid)
        solid = u > 0
        achieved = {
            "mass_error": solution.mass_error,
            "energy": solution.energy * self._factor,
            "iterations": solution.iterations,
            "volume_fraction": float(solid.mean() if inside is None else solid[inside].mean()),
            "status": solution.status,
            "energy_trace": [
                float(e) * self._factor for e in solution.history[:: max(1, len(solution.history) // 200)]
            ],
            "bounded_below": self.bounded_below,
            "seconds": time.perf_counter() - task.began,
        }
        configuration = {**self.configuration(), "grid": asdict(grid), "start": task.told}
        if self.graded is not None:
            configuration["graded"]["brought_to_stiffness"] = self.graded.alike[0].stiffness
            configuration["graded"]["alike"] = [asdict(c) for c in self.graded.alike]
        configuration["mask"] = None if task.region is None else task.region.told
        made = Provenance(
            "Curvatubes.sample", configuration, int(task.seed), device=device, dtype="float32", achieved=achieved
        )
        phase_id = np.where(solid, 0, -1).astype(np.int16)
        return Microstructure(grid, phase_id, (Phase("solid"),), level_set=u, measured=inside, provenance=made)

    @property
    def _sets(self) -> tuple[Coefficients, ...]:
        return (self.coefficients,) if self.graded is None else self.graded.alike

    @property
    def _factor(self) -> float:
        """By which the energy is divided while it flows: a power of two where its gradient's squares would overflow.

        Of graded sets that were brought to one stiffness, by that too: so none of them has a size that is its own, and
        ten times any set is the same flow to the last bit.
        """
        own = 1.0
        if self.graded is not None and self.graded.alike is not self.graded.coefficients:
            own = self.graded.alike[0].stiffness
        largest = max(abs(value) for c in self._sets for value in (*c.values, self.orientation_weight)) / own
        return own if 1e-6 <= largest <= 1e12 else own * 2.0 ** math.floor(math.log2(largest))


@dataclass(frozen=True, eq=False)
class _Task:
    """What one sample is made from, beside the parameters."""

    grid: Grid
    seed: int
    region: Region | None
    start: str | np.ndarray | FlowState
    told: Any
    """What provenance says of the start."""
    began: float


@dataclass(frozen=True, eq=False)
class _Begun:
    """A generator with its mask and start, as an ensemble wants it."""

    generator: Curvatubes
    mask: np.ndarray | Shape | None
    start: str | np.ndarray

    def check(self, grid: Grid, *, seed: int) -> None:
        self.generator.check(grid, seed=seed)

    def sample(self, grid: Grid, *, seed: int) -> Microstructure:
        return self.generator.sample(grid, seed=seed, mask=self.mask, start=self.start)


def _told(start: str | np.ndarray | FlowState) -> Any:
    if isinstance(start, str):
        return start
    return {"kind": "field", "sha256": digest(start)} if isinstance(start, np.ndarray) else {"kind": "state"}


def _require_memory(grid: Grid, *, graded: bool, masked: bool) -> None:
    """Fields held at once: u, gradient, mass and labels, two in passing; the coefficients where they vary; the mask."""
    needed = 4 * grid.size * (6 + (30 if graded else 0) + (4 if masked else 0))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > 0.9 * there:
            shape = " x ".join(str(n) for n in grid.shape)
            raise EnvironmentProblem(
                f"{shape} voxels need about {needed / 2**30:.1f} GiB of memory, this machine has {there / 2**30:.1f}. "
                "Use fewer voxels."
            )


_MASS = "Volume fraction is about (1 + mass) / 2 less the interfaces' share; -0.7 to -0.2 are usual."
