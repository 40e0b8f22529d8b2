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
from typing import TYPE_CHECKING, Any

import numpy as np

from microgen.errors import EnvironmentProblem, InvalidParameter, NotConverged
from microgen.generators.curvature_presets import PRESETS
from microgen.generators.laws import number, require
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.provenance import Provenance

if TYPE_CHECKING:
    from microgen.core.flow import FieldSolution, FlowState

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Coefficients:
    """A polynomial of the principal curvatures; a common factor changes nothing."""

    a20: float = 1.0
    """Of kappa_1²."""
    a11: float = 2.0
    """Of kappa_1 kappa_2."""
    a02: float = 6.0
    """Of kappa_2²."""
    b10: float = -40.0
    """Of kappa_1, 1/length."""
    b01: float = -40.0
    """Of kappa_2, 1/length."""
    c: float = 400.0
    """The constant, 1/length²."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(number(value) and math.isfinite(value), f"coefficients.{name}", "a finite number", value)
        require(any(self.values), "coefficients", "numbers that are not all zero", self.values)
        remedy = "With a20 or a02 below zero nothing but the grid stops the curvature from growing."
        require(self.a20 >= 0 <= self.a02, "coefficients", "a20 >= 0 and a02 >= 0", self.values, remedy=remedy)

    @property
    def values(self) -> tuple[float, ...]:
        return (self.a20, self.a11, self.a02, self.b10, self.b01, self.c)

    @classmethod
    def reduced(
        cls, h2: float, H0: float, kg: float, s: float = 0.0, p: float = 0.0, t: float = 0.0, q: float = 0.0
    ) -> Coefficients:
        """Of h2 (2M - H0)² + kg K + s (kappa_1 - p)² + t (kappa_2 - q)² (M mean and K Gauss curvature)."""
        b10, b01 = -2 * h2 * H0 - 2 * s * p, -2 * h2 * H0 - 2 * t * q
        return cls(h2 + s, 2 * h2 + kg, h2 + t, b10, b01, h2 * H0**2 + s * p**2 + t * q**2)

    def scaled(self, length: float) -> Coefficients:
        """(a, b/l, c/l²): the same texture with every length multiplied by l."""
        require(number(length) and length > 0, "length", "a positive factor", length)
        return Coefficients(self.a20, self.a11, self.a02, self.b10 / length, self.b01 / length, self.c / length**2)

    @property
    def lowest(self) -> float:
        """Smallest eigenvalue of the quadratic part: below zero the polynomial is not bounded below."""
        mean, gap = (self.a20 + self.a02) / 2, (self.a20 - self.a02) / 2
        return mean - math.hypot(gap, self.a11 / 2)


@dataclass(frozen=True)
class Graded:
    """Coefficients and masses that change through the box: at its two ends along an axis, or at four corners."""

    coefficients: tuple[Coefficients, ...]
    """Two sets, or four: at (0, 0), (1, 0), (0, 1) and (1, 1) of the two axes."""
    mass: tuple[float, ...]
    """One for each set."""
    axes: tuple[int, ...] = (0,)
    """One axis for two sets, two axes for four."""

    def __post_init__(self) -> None:
        fine = len(self.coefficients) == 2 ** len(self.axes) and len(self.axes) in (1, 2)
        require(fine, "graded.coefficients", "two sets and one axis, or four and two axes", len(self.coefficients))
        require(len(self.mass) == len(self.coefficients), "graded.mass", "one for each set", self.mass)

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """float64 [sets, *shape]: share of each set in each voxel, linear from the first voxel to the last."""
        ways = []
        for axis in self.axes:
            x = np.linspace(0, 1, shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
            ways.append((1 - x, x))
        first = ways[0]
        pairs = first if len(ways) == 1 else [a * b for b in ways[1] for a in first]
        return np.stack([np.broadcast_to(w, shape) for w in pairs])

    def fields(self, shape: tuple[int, ...]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """The six coefficients and the mass as fields."""
        weights = self.weights(shape)
        columns = zip(*(c.values for c in self.coefficients))
        return tuple(np.tensordot(col, weights, 1) for col in columns), np.tensordot(self.mass, weights, 1)


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
    def preset(cls, name: str) -> Curvatubes:
        """A named texture; `curvature_presets.PRESETS` says what each looks like and where it comes from."""
        if name not in PRESETS:
            raise InvalidParameter("preset", expected="one of " + ", ".join(PRESETS), got=name)
        return cls(Coefficients(*PRESETS[name].coefficients), PRESETS[name].mass)

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
        progress: Progress | None = None,
        start: np.ndarray | FlowState | None = None,
        on_state: Callable[[FlowState], None] | None = None,
    ) -> Microstructure:
        """One sample: u as `level_set` (solid where u > 0), `phase_id` 0 in the solid and -1 in the void.

        `start` is a field in place of seeded noise, or a state handed to `on_state` before, to go on from. The status
        among the achieved figures is "converged", or "capped" where the texture still moved after the most steps that
        are made: it has its mass and is at rest, and more steps would have made it coarser. Raises InvalidParameter
        when grid and parameters do not fit together; NotConverged, with the sample as its `best`, when no texture
        forms ("no_texture") or the energy stays no number ("diverged").
        """
        from microgen.core.flow import flow

        self.check(grid, seed=seed)
        require(device in ("cpu", "auto"), "device", "cpu", device, remedy="Phase fields run on the CPU.")
        began = time.perf_counter()
        coefficients, mass = (self.coefficients.values, self.mass)
        if self.graded is not None:
            coefficients, mass = self.graded.fields(grid.shape)
        try:
            solution = flow(
                coefficients,
                mass=mass,
                eps=self.eps,
                spacing=self.steps(grid),
                shape=grid.shape,
                periodic=grid.periodic,
                seed=seed,
                start=start,
                orientation=self._orientation(),
                progress=progress,
                on_state=on_state,
            )
        except NotConverged as error:
            best = None if error.best is None else self._assemble(grid, seed, error.best, began)  # type: ignore[arg-type]
            raise NotConverged(str(error), best=best) from error
        sample = self._assemble(grid, seed, solution, began)
        if solution.status == "no_texture":
            message = "no texture formed: u keeps one sign or stays near zero. Use another mass or other coefficients."
            raise NotConverged(message, best=sample)
        return sample

    @staticmethod
    def state(fields: Mapping[str, Any]) -> FlowState:
        """A state from its fields, as a file keeps them: a `start` for `sample`."""
        from microgen.core.flow import FlowState

        parts = {k: v for k, v in fields.items() if k in FlowState.__dataclass_fields__}
        return FlowState(**{**parts, "energy": tuple(np.asarray(parts.get("energy", ())).tolist())})

    def samples(
        self, grid: Grid, n: int, *, seed: int, workers: int | None = None, members: Sequence[int] | None = None
    ) -> Iterator[Microstructure]:
        """Members 0..n-1 of an ensemble (or only those listed), in order; see `ensemble.samples`."""
        from microgen.generators.ensemble import samples

        return samples(self, grid, n, seed=seed, workers=workers, members=members)  # type: ignore[arg-type]

    def steps(self, grid: Grid) -> tuple[float, ...]:
        """Spacing of the grid in the unit of the coefficients: dx along the shortest edge of a voxel."""
        return tuple(h / min(grid.spacing) * self.dx for h in grid.spacing)

    def check(self, grid: Grid, *, seed: int) -> None:
        """Raise InvalidParameter when grid, seed and parameters do not fit together."""
        require(isinstance(grid, Grid), "grid", "a Grid", grid)
        fine = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0
        require(fine, "seed", "an integer >= 0", seed)
        steps = self.steps(grid)
        fine = self.eps >= 1.5 * max(steps) * (1 - 1e-9)
        require(fine, "eps", f"at least 1.5 voxels along every axis, {1.5 * max(steps):g}", self.eps)
        shortest = min(n * h for n, h in zip(grid.shape, steps))
        fine = self.eps <= shortest / 10 * (1 + 1e-9)
        remedy = (
            f"Use at least {math.ceil(10 * self.eps / max(steps) - 1e-9)} voxels along each axis, or a smaller eps."
        )
        require(fine, "eps", f"at most a tenth of the box, {shortest / 10:g}", self.eps, remedy=remedy)
        _require_memory(grid, graded=self.graded is not None)
        fine = len(self.orientation) in (0, grid.ndim)
        require(fine, "orientation", f"{grid.ndim} components", self.orientation)
        fine = self.graded is None or max(self.graded.axes) < grid.ndim
        require(fine, "graded.axes", f"axes below {grid.ndim}", self.graded and self.graded.axes)

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
            parts["graded"] = Graded(sets, tuple(g["mass"]), tuple(g["axes"]))
        return cls(**{**parts, "orientation": tuple(parts.get("orientation", ()))})

    def _orientation(self) -> tuple[float, tuple[float, ...]] | None:
        if not self.orientation:
            return None
        size = math.hypot(*self.orientation)
        return self.orientation_weight, tuple(x / size for x in self.orientation)

    def _assemble(self, grid: Grid, seed: int, solution: FieldSolution, began: float) -> Microstructure:
        u = solution.field
        achieved = {
            "mass_error": solution.mass_error,
            "energy": solution.energy,
            "iterations": solution.iterations,
            "volume_fraction": float((u > 0).mean()),
            "status": solution.status,
            "energy_trace": [float(e) for e in solution.history[:: max(1, len(solution.history) // 200)]],
            "bounded_below": all(c.lowest >= 0 for c in self._sets()),
            "seconds": time.perf_counter() - began,
        }
        configuration = {**self.configuration(), "grid": asdict(grid)}
        made = Provenance("Curvatubes.sample", configuration, int(seed), dtype="float32", achieved=achieved)
        phase_id = np.where(u > 0, 0, -1).astype(np.int16)
        return Microstructure(grid, phase_id, (Phase("solid"),), level_set=u, provenance=made)

    def _sets(self) -> tuple[Coefficients, ...]:
        return (self.coefficients,) if self.graded is None else self.graded.coefficients


def _require_memory(grid: Grid, *, graded: bool) -> None:
    """Fields held at once: u, gradient, mass and labels, two in passing, and the coefficients where they vary."""
    needed = 4 * grid.size * (6 + (33 if graded else 0))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > 0.9 * there:
            shape = " x ".join(str(n) for n in grid.shape)
            raise EnvironmentProblem(
                f"{shape} voxels need about {needed / 2**30:.1f} GiB of memory, this machine has {there / 2**30:.1f}. "
                "Use fewer voxels."
            )


_MASS = "Volume fraction is about (1 + mass) / 2 less the interfaces' share; -0.7 to -0.2 are usual."
