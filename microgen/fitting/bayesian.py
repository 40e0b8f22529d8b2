"""The loop of a Bayesian fit: starts, search, candidates on fresh seeds, and what the data say of each parameter.

Starts share their random numbers, as they are ranked; each sample of the search has its own. Sharing them makes samples
differ by their parameters alone, but then a search fits the parameters to what is odd in that one draw: on bone,
candidates that were seen at 0.25 and 0.27 came out at 0.38 and 0.43 on fresh seeds, behind the start. The models tell
noise from trend, candidates are ranked by them, and what is reported is measured on seeds that the search never saw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from microgen.fitting.composite import Composite, Parts
from microgen.fitting.search import make_search
from microgen.fitting.space import Space
from microgen.fitting.trials import Runner, Trial, Wanted
from microgen.generators.ensemble import member_seed

RESERVED = 1_000_000  # members of an ensemble from here on have the seeds of the fresh samples,
SEARCHED = 2_000_000  # from here on those of the search
BATCH = 4  # points asked for at once; the same whatever the number of workers, so that results are
FRESH = "fresh"  # stage of the samples that the search never saw
FINALISTS, SEEDS = 3, 3  # candidates that are made again, and their fresh seeds
WORST = 30.0  # what a sample that did not come out counts, in noise floors
SWEEP = 4000  # points at which the model is asked for profiles
BINS = 12  # of a profile
LEAST = 40  # samples
WIDE = 0.7  # share of its range a parameter may take without harm, from which it is not identifiable


@dataclass(frozen=True)
class Estimate:
    """What a fit says of one parameter."""

    value: float
    low: float
    high: float
    """Between these the model finds, with all others free, samples as near to the target as fresh seeds can tell."""
    identifiable: bool
    """False: the interval is most of the range that was searched, and the value is one of many."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the loop found."""

    best: dict[str, float]
    seen: float
    """Objective of the best candidate in the search."""
    value: float
    """Its objective on fresh seeds, the mean: what is to be reported."""
    spread: float
    """Standard deviation of the objective over the fresh seeds."""
    status: str
    """inside: all distances within the median noise floor; or budget: spent."""
    trials: tuple[Trial, ...]
    estimates: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How much to do, and how."""

    evaluations: int
    """Samples of starts and search together."""
    seed: int
    search: str = "gp"
    finalists: int = FINALISTS
    fresh: int = SEEDS
    least: int = LEAST
    """Before so many the search does not end, however near it is: the intervals of the parameters need them."""

    @property
    def total(self) -> int:
        """All samples."""
        return self.evaluations + self.finalists * self.fresh


def optimise(space: Space, plan: Plan, runner: Runner, *, beside: Space | None = None) -> Outcome:
    """Search the space, knowing what the runner made before, and settle on one point.

    Trials may have parameters `beside` those of the space, which the problem sets by itself: each trial that is asked
    for begins with those of the nearest trial so far.
    """
    here = [t for t in runner.trials if _in(space, t.parameters)]
    searcher = make_search(plan.search, len(space), seed=plan.seed, first=0 if here else 2 * len(space))
    told = Space(space.parameters + (beside.parameters if beside else ()))
    _tell(searcher, told, here)
    status = _searched(space, searcher, plan, runner, told)
    found = settled(plan, runner, status, _expected(space, searcher, runner.trials, told))
    if isinstance(searcher, Composite) and searcher.informed:
        terms = max(len(t.distances) for t in found.trials)
        return replace(found, estimates=found.estimates | profiles(space, searcher, found, terms))
    return found


def corrected(plan: Plan, runner: Runner) -> Outcome:
    """For problems that set all their parameters by themselves: nothing is left to search for."""
    return settled(plan, runner, "inside" if any(t.inside for t in runner.trials) else "budget")


def _searched(space: Space, searcher: Any, plan: Plan, runner: Runner, told: Space) -> str:
    """Ask and tell until the budget is spent, or a trial is as near as the data can tell."""
    while True:
        if len(runner.trials) >= plan.least and any(t.inside for t in runner.trials):
            return "inside"
        left = plan.evaluations - len(runner.trials)
        if left <= 0:
            return "inside" if any(t.inside for t in runner.trials) else "budget"
        # Points and values must be those that are made: parameters are rounded on the way.
        last = left <= BATCH and isinstance(searcher, Composite) and searcher.informed
        asked = [space.values(point) for point in (searcher.settle if last else searcher.ask)(min(BATCH, left))]
        full = [{**_nearest(space, runner.trials, values), **values} for values in asked]
        first = len(runner.trials)
        seeds = [member_seed(plan.seed, SEARCHED + first + k) for k in range(len(full))]
        _tell(searcher, told, runner.run([Wanted(v, seed, "search") for v, seed in zip(full, seeds)]))


def _nearest(space: Space, trials: Sequence[Trial], values: Mapping[str, float]) -> dict[str, float]:
    """Parameters of the trial nearest in the space, of those that gave a sample."""
    point = np.array(space.unit(values))
    made = [t for t in trials if t.value < WORST] or list(trials)
    if not made:
        return {}
    apart = [float(((np.array(space.unit(t.parameters)) - point) ** 2).sum()) for t in made]
    return dict(made[int(np.argmin(apart))].parameters)


def _expected(space: Space, searcher: Any, trials: Sequence[Trial], told: Space) -> list[float]:
    """Objective of each trial without the luck of its seed, as far as a model tells."""
    values = np.array([min(t.value, WORST) for t in trials])
    known = np.array([_in(space, t.parameters) and bool(_parts(t)) for t in trials])
    if isinstance(searcher, Composite) and searcher.informed and known.any():
        at = np.array([told.unit(t.parameters) for t, inside in zip(trials, known) if inside])
        values[known] = np.exp(searcher.predict(at)[0])
    return values.tolist()


def settled(plan: Plan, runner: Runner, status: str, expected: Sequence[float] | None = None) -> Outcome:
    """The best of the finalists on fresh seeds; a start is left only for what is better by more than chance.

    What the data do not tell would else be set by the luck of the search, where the start is at least what is usual.
    Finalists are the best start, and in turn what is `expected` to be best and what was seen to be: a model of few
    trials can be wrong, a single sample lucky.
    """
    ranked = sorted(runner.trials, key=lambda t: t.value)
    by_model = [runner.trials[k] for k in np.argsort(expected or [t.value for t in runner.trials], kind="stable")]
    first = next(t for t in ranked if t.stage == "start" or t is ranked[-1])
    finalists = _different([first, *(t for pair in zip(by_model, ranked) for t in pair)])[: plan.finalists]
    seeds = [member_seed(plan.seed, RESERVED + k) for k in range(plan.fresh)]
    made = runner.run([Wanted(t.parameters, seed, FRESH) for t in finalists for seed in seeds])
    table = np.array([min(t.value, WORST) for t in made]).reshape(len(finalists), plan.fresh)
    best = int(np.argmin(table.mean(axis=1)))
    better = table[0] - table[best]  # on the same seeds
    chance = float(better.std(ddof=1)) / math.sqrt(plan.fresh) if plan.fresh > 1 else 0.0
    if better.mean() <= chance:
        best = 0
    return _outcome(finalists[best], table[best], status, runner, ranked)


def _outcome(chosen: Trial, values: np.ndarray, status: str, runner: Runner, ranked: Sequence[Trial]) -> Outcome:
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    limit = alike(chosen.value, len(chosen.distances), spread / max(float(values.mean()), 1e-12))
    near = [t for t in ranked if t.value <= limit and t.parameters.keys() == chosen.parameters.keys()]
    ranges = {}
    for name, value in chosen.parameters.items():
        of = [t.parameters[name] for t in (*near, chosen)]
        ranges[name] = Estimate(value, min(of), max(of), True)
    return Outcome(
        dict(chosen.parameters), chosen.value, float(values.mean()), spread, status, tuple(runner.trials), ranges
    )


def alike(value: float, terms: int, noise: float) -> float:
    """Largest objective that the data cannot tell from `value`.

    One of its terms, distances over p95, may grow to 1 while the others stay; or all by the noise between seeds.
    """
    noise = noise if math.isfinite(noise) else 0.0
    return max(value * (1 + max(noise, 0.05)), value + max(1 - value, 0.0) / max(terms, 1))


def profiles(space: Space, searcher: Composite, found: Outcome, terms: int) -> dict[str, Estimate]:
    """Interval of each parameter in which the model, over all others, finds values that are `alike` the best.

    A profile of the mean of the models at SWEEP points, half of them near the best.
    """
    rng = np.random.default_rng(0)
    best = found.best
    centre = np.array(space.unit(best))
    points = rng.random((SWEEP, len(space)))
    points[::2] = np.clip(centre + (points[::2] - 0.5) * 0.3, 0, 1)
    points[0] = centre
    mean, _ = searcher.predict(points)
    limit = math.log(alike(math.exp(mean.min()), terms, found.spread / max(found.value, 1e-12)))
    out = {}
    for k, parameter in enumerate(space.parameters):
        bins = np.minimum((points[:, k] * BINS).astype(int), BINS - 1)
        least = np.array([mean[bins == b].min(initial=np.inf) for b in range(BINS)])
        own = min(int(centre[k] * BINS), BINS - 1)
        fine = (least <= limit) | (np.arange(BINS) == own)
        low, high = np.flatnonzero(fine)[[0, -1]]
        low_value, high_value = parameter.value(low / BINS), parameter.value((high + 1) / BINS)
        value = best[parameter.name]  # a start can lie outside the box that is searched
        out[parameter.name] = Estimate(value, min(low_value, value), max(high_value, value), bool(fine.mean() < WIDE))
    return out


def _tell(searcher: Any, space: Space, trials: Sequence[Trial]) -> None:
    searcher.tell([space.unit(t.parameters) for t in trials], [t.value for t in trials], [_parts(t) for t in trials])


def _parts(trial: Trial) -> dict[str, Parts]:
    """What it says of each statistic; nothing where the sample lacks one, which is as bad as no sample."""
    parts = {name: Parts(ratio, trial.lacks.get(name, math.nan)) for name, ratio in trial.ratios.items()}
    return {} if any(p.ratio >= WORST and not math.isfinite(p.lack) for p in parts.values()) else parts


def _in(space: Space, values: Mapping[str, float]) -> bool:
    """Is the point inside the box, but for rounding?"""
    slack = [1e-6 * max(abs(p.low), abs(p.high)) for p in space.parameters]
    return all(p.low - e <= values[p.name] <= p.high + e for p, e in zip(space.parameters, slack))


def _different(trials: Sequence[Trial]) -> list[Trial]:
    """Each point once."""
    seen: list[dict[str, float]] = []
    out = []
    for trial in trials:
        if trial.parameters not in seen:
            seen.append(trial.parameters)
            out.append(trial)
    return out
