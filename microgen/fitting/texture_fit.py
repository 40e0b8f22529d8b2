"""`Curvatubes` before a measured volume: which polynomial, mass and scale make blocks like those of the target.

The search is for the rarer phase, taken as the solid: a texture turned inside out is the texture of the other
polynomial p'(k1, k2) = p(-k2, -k1) with the opposite mass. Starts come from an atlas of random textures; what samples
lack in volume fraction and in the length of their correlation is made good in mass and dx, which govern these two.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from microgen.atlas import Atlas, Match
from microgen.errors import InvalidParameter, NotConverged
from microgen.fitting.bayesian import FRESH, WORST, Plan, corrected, optimise
from microgen.fitting.result import FitResult, Progress
from microgen.fitting.space import Parameter, Space
from microgen.fitting.statistics import Statistic
from microgen.fitting.trials import Evaluation, Runner, Trial, TrialLog, Wanted
from microgen.fitting.volume_target import VolumeTarget
from microgen.fitting.wish_target import SHARE, WishTarget
from microgen.generators.curvatubes import Curvatubes
from microgen.generators.polynomial import Coefficients
from microgen.grid import Grid

VOXELS = 64  # about so many along a sample of the search
NAMES = ("mass", "dx", "reduced.H0", "reduced.kg", "reduced.s", "reduced.p", "reduced.t", "reduced.q")
NARROWEST = 1.5 * (1 + 1e-5)  # voxels of the interface, and room for rounding to six figures
WIDEST = 0.1 * (1 - 1e-5)  # of the box of a sample
SHAPE = NAMES[2:]
MASSES = (-0.95, 0.3)
STRETCH = 0.03  # relative error in length from which a second sample is worth its time
STARTS = 8  # textures of the atlas that are tried
SMALL, LARGE = 0.05, 20.0  # bounds of the stiffnesses s and t
TextureTarget = VolumeTarget | WishTarget


@dataclass(frozen=True, eq=False)
class TextureProblem:
    """A volume, and a generator with those parameters that are not searched for."""

    target: TextureTarget
    base: Curvatubes
    turned: bool
    """The void is the rarer phase, so that the search is for it."""
    free: tuple[str, ...]
    """Names of NAMES that the fit may change."""
    seed: int
    floors: dict[str, tuple[float, float]]
    """Noise floor (median, p95) of each statistic for one sample of the search."""
    voxels: int = VOXELS

    def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation:
        """Make a sample and compare it; in the search once more with mass and dx corrected, where they are far off.

        Without a texture the value is WORST.
        """
        found = self._once(parameters, seed)
        if stage == FRESH or found.value >= WORST:
            return found
        better = self.corrected(parameters, found.figures)
        if not self._far(parameters, better):
            return found
        again = self._once(better, seed)
        return again if again.value < found.value else found

    def _once(self, parameters: Mapping[str, float], seed: int) -> Evaluation:
        grid = self.grid
        try:
            sample = self.coarse(parameters).sample(grid, seed=seed)
        except NotConverged:
            return Evaluation(WORST, {}, False, parameters=dict(parameters))
        full = sample.phase_id >= 0
        if full.all() or not full.any():
            return Evaluation(WORST, {}, False, parameters=dict(parameters))
        found = self.target.compare([sample], seed=self.seed, only_objective=True, floors=self.floors)
        return evaluation(found, parameters)

    def _far(self, parameters: Mapping[str, float], better: Mapping[str, float]) -> bool:
        """Would the correction change what a quarter of the noise floor can tell?"""
        floor = min(self.floors.get(name, (0.0, SHARE))[1] for name in ("volume_fraction", "porosity"))
        mass = abs(better["mass"] - parameters["mass"]) / 2 > 0.25 * floor
        return mass or abs(math.log(better["dx"] / parameters["dx"])) > STRETCH

    @property
    def corrects(self) -> tuple[str, ...]:
        """Parameters that are set by what samples lack, and not searched for."""
        known = {"mass": self.target.fraction is not None, "dx": self.target.length is not None}
        return tuple(name for name in self.free if known.get(name))

    @property
    def grid(self) -> Grid:
        """The periodic box of the samples of the search."""
        return box(self.target, self.voxels)

    def generator(self, parameters: Mapping[str, float]) -> Curvatubes:
        """The generator at a point of the search, for voxels as large as those of the volume.

        kg is lowered to where the polynomial has a least value; eps spans at least one and a half of the voxels of the
        search, and at most a tenth of its box.
        """
        at, sign = parameters, -1 if self.turned else 1
        found = self.base.coefficients
        if "reduced.H0" in at:
            h0, s, p, t, q = (at[f"reduced.{name}"] for name in ("H0", "s", "p", "t", "q"))
            most = 2 * math.sqrt((1 + s) * (1 + t)) - 2
            found = Coefficients.reduced(1.0, h0, min(at["reduced.kg"], 0.999 * most), s, p, t, q)
            found = found.turned() if self.turned else found
        voxel = self.target.factor * at["dx"]
        # A tenth of the box of the search is the most: large features leave no room for the eps of the base.
        eps = max(NARROWEST * voxel, min(self.base.eps, WIDEST * min(self.grid.shape) * voxel))
        eps = float(f"{eps:.6g}")
        return replace(self.base, coefficients=found, mass=sign * at["mass"], dx=at["dx"], eps=eps)

    def coarse(self, parameters: Mapping[str, float]) -> Curvatubes:
        """The same texture for the voxels of the search."""
        found = self.generator(parameters)
        return replace(found, dx=found.dx * self.target.factor)

    def corrected(self, parameters: Mapping[str, float], figures: Mapping[str, float]) -> dict[str, float]:
        """The parameters with the mass and dx that their sample lacks, where these are free."""
        found, length, fraction = dict(parameters), self.target.length, self.target.fraction
        if "mass" in self.corrects and fraction is not None:
            there = figures.get("volume_fraction", 1 - figures.get("porosity", math.nan))
            # u is near -1 and 1: its mean is 2 f - 1, and changes by twice what f does
            lack = 2 * (fraction - there) if math.isfinite(there) else 0.0
            found["mass"] = _clip(found["mass"] + (-lack if self.turned else lack), *MASSES)
        if "dx" in self.corrects and length is not None:
            name, wish, power = length
            ratio = figures.get(name, math.nan) / wish
            if math.isfinite(ratio) and ratio > 0:
                found["dx"] *= _clip(ratio ** (1 / power), 0.5, 2.0)
        return {name: float(f"{value:.6g}") for name, value in found.items()}


def box(target: TextureTarget, voxels: int) -> Grid:
    """A periodic box of whole blocks with about so many voxels along its axes, but one block at least."""
    shape = tuple(b * max(1, round(voxels / b)) for b in target.block)
    return Grid(shape, target.spacing, periodic=(True,) * 3)


def evaluation(statistics: Mapping[str, Statistic], parameters: Mapping[str, float]) -> Evaluation:
    """Mean of distance over noise floor p95 of the objective; a statistic that a sample lacks counts WORST."""
    ratios, distances, inside = {}, {}, True
    for name, found in statistics.items():
        if not found.in_objective or not found.noise_floor_p95 > 0:
            continue
        distances[name] = found.distance
        known = math.isfinite(found.distance)
        ratios[name] = min(found.distance / found.noise_floor_p95, WORST) if known else WORST
        inside &= known and found.distance <= found.noise_floor
    value = sum(ratios.values()) / len(ratios) if ratios else WORST
    figures = {name: s.achieved for name, s in statistics.items()}
    lacks = {name: statistics[name].achieved - statistics[name].target for name in ratios}
    return Evaluation(value, distances, bool(ratios) and inside, figures, dict(parameters), ratios, lacks)


def from_atlas(target: TextureTarget, atlas: Atlas, *, turned: bool, number: int) -> list[dict[str, float]]:
    """Points of the entries nearest to the target, at its scale."""
    matches = atlas.nearest(target.wishes(turned=turned), number)
    rows = [atlas.row(int((atlas.columns["sample"] == match.number).argmax())) for match in matches]
    return [_point(match, row, min(target.grid.spacing)) for match, row in zip(matches, rows)]


def _point(match: Match, row: Mapping[str, float], step: float) -> dict[str, float]:
    """A row of an atlas as a point of the search; dx is for voxels of `step` µm."""
    assert match.scale is not None  # the thickness among the wishes sets it
    found = {"mass": float(row["mass"]), "dx": step / match.scale, "reduced.H0": float(row["H0"])}
    found |= {"reduced.kg": float(row["kg"])}
    for name, preferred in (("s", "p"), ("t", "q")):
        there = row[name] > 0  # else a weak pull to where the rest of the polynomial pulls anyway
        found[f"reduced.{name}"] = float(row[name]) if there else SMALL
        found[f"reduced.{preferred}"] = float(row[preferred]) if there else float(row["H0"]) / 2
    return {name: float(f"{found[name]:.6g}") for name in NAMES}


def around(point: Mapping[str, float]) -> Space:
    """The box that is searched around a start; mass and dx are in it for targets that do not set them."""
    mass, dx = _clip(point["mass"], *MASSES), point["dx"]
    parts = [
        Parameter("mass", max(mass - 0.2, MASSES[0]), min(mass + 0.2, MASSES[1])),
        Parameter("dx", dx / 1.5, dx * 1.5, log=True),
    ]
    if "reduced.H0" not in point:
        return Space(tuple(parts))
    reach = 0.3 * 35.0  # curvatures of an atlas have a length of 35
    parts += [
        Parameter("reduced.H0", point["reduced.H0"] - reach, point["reduced.H0"] + reach),
        Parameter("reduced.kg", point["reduced.kg"] - 1.5, point["reduced.kg"] + 1.5),
    ]
    for name, preferred in (("s", "p"), ("t", "q")):
        middle = _clip(point[f"reduced.{name}"], SMALL, LARGE)
        parts.append(Parameter(f"reduced.{name}", middle / 4, middle * 4, log=True))
        here = point[f"reduced.{preferred}"]
        parts.append(Parameter(f"reduced.{preferred}", here - reach, here + reach))
    return Space(tuple(parts))


def texture_problem(
    base: Curvatubes,
    target: TextureTarget,
    *,
    free: Sequence[str] | None,
    fixed: Mapping[str, float] | None = None,
    seed: int,
    voxels: int = VOXELS,
) -> TextureProblem:
    """The problem; raises InvalidParameter for graded generators and names that are no parameter."""
    if base.graded is not None:
        raise InvalidParameter("generator.graded", expected="none: one texture is fitted", got="a graded texture")
    strange = [name for name in free or () if name not in NAMES]
    if strange or free == ():
        raise InvalidParameter("free", expected=f"some of {', '.join(NAMES)}", got=", ".join(strange) or "none")
    base, free = _with_fixed(base, free, fixed or {})
    count = math.prod(n // b for n, b in zip(box(target, voxels).shape, target.block))
    floors = target.floors(count, seed=seed)
    return TextureProblem(target, base, (target.fraction or 0.0) > 0.5, free, seed, floors, voxels)


def _with_fixed(
    base: Curvatubes, free: Sequence[str] | None, fixed: Mapping[str, float]
) -> tuple[Curvatubes, tuple[str, ...]]:
    """The generator with the values of `fixed`, and which names are free beside them."""
    wrong = [name for name in fixed if name not in ("mass", "dx")]
    if wrong:  # the polynomial is one thing: a part of it cannot stay while the atlas gives the rest
        raise InvalidParameter("fixed", expected="mass or dx of a texture", got=", ".join(wrong))
    both = [name for name in free or () if name in fixed]
    if both:
        raise InvalidParameter("free", expected="parameters without a value of their own", got=", ".join(both))
    chosen = tuple(free) if free is not None else tuple(name for name in NAMES if name not in fixed)
    return replace(base, **fixed), chosen


def fit_texture(
    base: Curvatubes,
    target: TextureTarget,
    *,
    plan: Plan,
    atlas: Atlas | None = None,
    free: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    workers: int = 1,
    log: TrialLog | None = None,
    progress: Progress | None = None,
) -> FitResult[Curvatubes]:
    """The texture nearest to the volume; see `fit`. Raises InvalidParameter without an atlas to start from."""
    began = time.perf_counter()
    problem = texture_problem(base, target, free=free, fixed=fixed, seed=plan.seed, voxels=VOXELS)
    searched = [name for name in problem.free if name not in problem.corrects]
    if set(searched) & set(SHAPE) and atlas is None:
        raise InvalidParameter("atlas", expected="an atlas of textures to start from", got=None)
    runner = Runner(problem, total=plan.total, workers=workers, log=log, progress=progress)
    with runner.pool():
        best = started(problem, runner, _starts(problem, atlas, plan), plan)
        space = around(best.parameters)
        beside = space.only(problem.corrects)
        outcome = optimise(space.only(searched), plan, runner, beside=beside) if searched else corrected(plan, runner)
    return FitResult(
        problem.generator(outcome.best),
        time.perf_counter() - began,
        target.notes,
        outcome.status,
        outcome.value,
        outcome.spread,
        outcome.seen,
        outcome.estimates,
        outcome.trials,
    )


def _starts(problem: TextureProblem, atlas: Atlas | None, plan: Plan) -> list[dict[str, float]]:
    """Where to begin: textures of the atlas; parameters that are not free are the generator's own."""
    base, sign = problem.base, -1 if problem.turned else 1
    if atlas is None or not set(problem.free) & set(SHAPE):
        points = [{"mass": sign * base.mass, "dx": base.dx}]
    else:
        points = from_atlas(problem.target, atlas, turned=problem.turned, number=min(STARTS, plan.evaluations))
    own = {"mass": sign * base.mass, "dx": base.dx}
    kept = {name: value for name, value in own.items() if name not in problem.free}
    return [{**point, **kept} for point in points]


def started(problem: TextureProblem, runner: Runner, starts: Sequence[Mapping[str, float]], plan: Plan) -> Trial:
    """The starts, and the best half of them corrected again; returns the best trial."""
    made = runner.run([Wanted(dict(point), plan.seed, "start") for point in starts])
    left = max(plan.evaluations - len(runner.trials), 0)
    ranked = sorted(made, key=lambda t: t.value)[: max(2, len(made) // 2)]
    again = [problem.corrected(t.parameters, t.figures) for t in ranked]
    runner.run([Wanted(point, plan.seed, "start") for point in again][:left])
    return min(runner.trials, key=lambda t: t.value)


def _clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)
