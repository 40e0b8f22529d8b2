"""`Polycrystal` before a scan: the laws that the correction by moments found, searched around and put to the test.

The size law keeps the shape that the moments gave it; its mean and coefficient of variation are free.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from microgen.errors import InvalidParameter
from microgen.fitting import quick
from microgen.fitting.bayesian import WORST, Plan, optimise
from microgen.fitting.compare import ENOUGH, TIMES
from microgen.fitting.result import FitResult, Progress
from microgen.fitting.section_target import SectionTarget
from microgen.fitting.space import Parameter, Space
from microgen.fitting.statistics import Kind
from microgen.fitting.trials import Evaluation, Runner, TrialLog, Wanted
from microgen.generators.laws import SizeLaw
from microgen.generators.polycrystal import Polycrystal

NAMES = ("size.mean", "size.cv", "aspect_ratio.mean", "aspect_ratio.cv", "hard_core", "fabric.concentration")
"""Parameters that may be free."""
TERMS = ("equivalent_diameter", "aspect_ratio", "axis_angle")
"""What the laws govern; phases and texture are the scan's own."""
QUICK_SHARE = 0.15  # of the time of a fit that the correction by moments takes, for the bar


@dataclass(frozen=True, eq=False)
class PolycrystalProblem:
    """A scan, and the generator that the moments gave."""

    target: SectionTarget
    base: Polycrystal
    fixed: quick.Fixed
    floors: dict[str, tuple[float, float]]
    """Noise floor (median, p95) of the terms."""

    def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation:
        """Cut a sample of these laws and compare its sections."""
        maps, _ = quick.rehearse(self.generator(parameters), self.fixed, self.target, seed=seed)
        known = terms(self.target)
        found = {term.label: term.kind.measure(maps[term.plane]) for term in known}
        distances = {term.label: term.kind.distance(term.measured, found[term.label]) for term in known}
        ratios = {n: min(d / self.floors[n][1], WORST) for n, d in distances.items() if self.floors[n][1] > 0}
        inside = all(d <= self.floors[name][0] for name, d in distances.items())
        figures = {term.label: term.kind.value(found[term.label]) for term in known}
        value = float(np.mean(list(ratios.values()))) if ratios else 0.0
        # Angles have no difference with a sign that parameters could mend: none of them turns the axis.
        signed = [term for term in known if term.name != "axis_angle"]
        lacks = {term.label: figures[term.label] - term.kind.value(term.measured) for term in signed}
        return Evaluation(value, distances, inside, figures, dict(parameters), ratios, lacks)

    def generator(self, parameters: Mapping[str, float]) -> Polycrystal:
        """The base with these parameters in place of its own."""
        return with_parameters(self.base, parameters)


def with_parameters(base: Polycrystal, parameters: Mapping[str, float]) -> Polycrystal:
    """A polycrystal with fields by dotted name. `size.cv` stretches measured quantiles about their median, in the
    logarithm; `size.mean` scales them."""
    changes: dict[str, dict[str, float]] = {}
    for name, value in parameters.items():
        parent, _, child = name.partition(".")
        changes.setdefault(parent, {})[child] = value
    for parent, fields in changes.items():
        law = getattr(base, parent)
        if "" in fields:
            base = replace(base, **{parent: fields[""]})  # type: ignore[arg-type]
        elif isinstance(law, SizeLaw) and law.kind == "measured":
            base = replace(base, size=stretched(law, **fields))
        else:
            base = replace(base, **{parent: replace(law, **fields)})
    return base


def stretched(law: SizeLaw, *, mean: float | None = None, cv: float | None = None) -> SizeLaw:
    """Measured quantiles with another mean and another coefficient of variation."""
    q = np.array(law.quantiles)
    if cv is not None and q[0] < q[-1]:
        logs = np.log(q) - np.log(np.median(q))

        def excess(power: float) -> float:
            stretch = np.exp(power * logs)
            law_of = replace(law, quantiles=tuple(stretch))
            return math.sqrt(max(law_of.relative_moment(2) - 1, 0.0)) - cv

        if excess(0.01) < 0 < excess(20.0):
            q = np.exp(float(brentq(excess, 0.01, 20.0)) * logs)  # type: ignore[arg-type]
        q *= np.median(law.quantiles)
    out = replace(law, quantiles=tuple(float(f"{x:.6g}") for x in q), mean=None)
    factor = (mean or law.resolved_mean or 1.0) / (out.resolved_mean or 1.0)
    return replace(out, quantiles=tuple(float(f"{factor * x:.6g}") for x in q))


def point_of(base: Polycrystal) -> dict[str, float]:
    """The parameters of a generator that may be free."""
    mean, cv = base.size.resolved_mean, math.sqrt(max(base.size.relative_moment(2) - 1, 0.0))
    assert mean is not None  # measured laws have one
    found = {"size.mean": mean, "size.cv": cv, "aspect_ratio.mean": base.aspect_ratio.mean}
    found |= {"aspect_ratio.cv": base.aspect_ratio.cv, "fabric.concentration": base.fabric.concentration}
    return {name: float(f"{value:.6g}") for name, value in (found | {"hard_core": base.hard_core}).items()}


def around(point: Mapping[str, float]) -> Space:
    """The box that is searched around the laws of the moments."""
    mean, cv, aspect = point["size.mean"], max(point["size.cv"], 0.05), point["aspect_ratio.mean"]
    parts = [
        Parameter("size.mean", mean / 1.3, mean * 1.3, log=True),
        Parameter("size.cv", cv / 1.6, cv * 1.6, log=True),
        Parameter("aspect_ratio.mean", max(1.0, aspect - 0.5), max(1.0, aspect - 0.5) + 1.0),
        Parameter("aspect_ratio.cv", 0.0, 0.5),
        Parameter("hard_core", 0.0, 0.7),
    ]
    if point["fabric.concentration"] > 0:
        strength = point["fabric.concentration"]
        parts.append(Parameter("fabric.concentration", strength / 4, strength * 4, log=True))
    return Space(tuple(parts))


def fit_polycrystal(
    base: Polycrystal,
    target: SectionTarget,
    *,
    plan: Plan,
    free: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    workers: int = 1,
    log: TrialLog | None = None,
    progress: Progress | None = None,
) -> FitResult[Polycrystal]:
    """The laws nearest to the scan; see `fit`."""
    began, fixed = time.perf_counter(), fixed or {}
    _check_names(free, fixed)
    first = quick.corrected_laws(target, seed=plan.seed, progress=_part(progress, 0.0, QUICK_SHARE))
    start = with_parameters(first.generator, fixed)
    point = point_of(start)
    space = around(point)
    names = tuple(name for name in space.names if name not in fixed) if free is None else tuple(free)
    space = space.only(names)
    problem = PolycrystalProblem(target, start, first.fixed, floors(target))
    runner = Runner(problem, total=plan.total, workers=workers, log=log, progress=_part(progress, QUICK_SHARE, 1.0))
    with runner.pool():
        runner.run([Wanted({name: point[name] for name in names}, plan.seed, "start")])
        outcome = optimise(space, plan, runner)
    return FitResult(
        replace(problem.generator(outcome.best), grains=base.grains),
        time.perf_counter() - began,
        (*target.notes, *first.notes),
        outcome.status,
        outcome.value,
        outcome.spread,
        outcome.seen,
        outcome.estimates,
        outcome.trials,
        first.history,
    )


def _check_names(free: Sequence[str] | None, fixed: Mapping[str, float]) -> None:
    """Before anything is made: names that are none, or are to be free and fixed both, or nothing that is free."""
    strange = [name for name in (*(free or ()), *fixed) if name not in NAMES]
    if strange or free == ():
        raise InvalidParameter("free", expected=f"some of {', '.join(NAMES)}", got=", ".join(strange) or "none")
    both = [name for name in free or () if name in fixed]
    if both or set(fixed) == set(NAMES):
        got = ", ".join(both) or "all of them"
        raise InvalidParameter("free", expected="parameters without a value of their own", got=got)


@dataclass(frozen=True, eq=False)
class Term:
    """One term of the objective: a statistic as one plane shows it."""

    name: str
    plane: str
    side: SectionTarget
    label: str

    @property
    def kind(self) -> Kind:
        return self.side.kinds[self.name]

    @property
    def measured(self) -> Any:
        return self.side.measured[self.name]


def terms(target: SectionTarget) -> list[Term]:
    """What the laws govern, in each plane; of a single one the plane is not named."""
    return [
        Term(name, plane, side, f"{name}.{plane}" if target.sides else name)
        for plane, side in target.views.items()
        for name in TERMS
    ]


def floors(target: SectionTarget) -> dict[str, tuple[float, float]]:
    """Noise floor of the terms for as many grains as the sections of a sample hold."""
    rng = np.random.default_rng(0)
    counts = {plane: max(TIMES * side.interior, ENOUGH) for plane, side in target.views.items()}
    return {term.label: term.kind.floor(term.measured, counts[term.plane], rng) for term in terms(target)}


def _part(progress: Progress | None, low: float, high: float) -> Progress | None:
    """A piece of a bar."""
    if progress is None:
        return None
    tell = progress
    return lambda fraction, message: tell(low + fraction * (high - low), message)
