"""`fit`: the parameters of a generator whose samples cannot be told from what was measured, as far as that goes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from microgen.atlas import Atlas
from microgen.errors import InvalidParameter
from microgen.fitting.bayesian import Plan
from microgen.fitting.published import SectionNumbers
from microgen.fitting.published_fit import fit_numbers
from microgen.fitting.result import FitResult, Progress
from microgen.fitting.section_target import SectionTarget
from microgen.fitting.target import Target
from microgen.fitting.trials import TrialLog
from microgen.fitting.volume_target import VolumeTarget
from microgen.fitting.wish_target import WishTarget
from microgen.generators.curvatubes import Curvatubes
from microgen.generators.polycrystal import Polycrystal

BUDGETS = {"quick": 20, "full": 60}
"""Samples of the search. For polycrystals "quick" is the correction by moments alone."""


def fit(
    generator: Any,
    target: Target,
    *,
    free: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    budget: str | int = "quick",
    seed: int,
    atlas: Atlas | None = None,
    search: str = "gp",
    workers: int | None = None,
    log: TrialLog | None = None,
    progress: Progress | None = None,
) -> FitResult[Any]:
    """Fit a `Polycrystal` to a scan or to published numbers, or `Curvatubes` to a volume or to wished numbers.

    `free` names the parameters that may change (all that can, when not given), `fixed` gives some a value (of textures:
    mass and dx). The rest keeps what it starts with: the correction by moments, or the polynomial of the atlas entry.
    `budget` is "quick", "full" or a number of samples; for polycrystals "quick" corrects the laws by moments and
    searches nothing. `atlas` is where textures start from; the one that comes with microgen when not given. `search` is
    gp, random or optuna. `log` keeps every trial as it is made; a log that already holds trials of the same fit is gone
    on with, and gives the same result. Trials run in `workers` processes (default: one per core; scripts that use more
    than one need `if __name__ == "__main__":`), on which results do not depend. Deterministic in `seed`.

    Raises InvalidParameter for pairs that do not go together, unknown names, and budgets below 4 samples.
    """
    count = BUDGETS.get(budget, 0) if isinstance(budget, str) else budget
    if not isinstance(count, int) or count < 4:
        raise InvalidParameter("budget", expected="quick, full, or 4 samples or more", got=budget)
    processes = max(1, min(workers or os.cpu_count() or 1, count))
    options: dict[str, Any] = {"free": free, "fixed": fixed, "workers": processes, "log": log, "progress": progress}
    plan = Plan(count, seed, search)
    if isinstance(target, WishTarget):  # what is wished for needs no intervals
        plan = replace(plan, least=8, finalists=2, fresh=2)
    if isinstance(generator, Curvatubes) and isinstance(target, VolumeTarget | WishTarget):
        return _texture(generator, target, plan, atlas, options)
    if isinstance(generator, Polycrystal):
        _require_full(generator)
    if isinstance(generator, Polycrystal) and isinstance(target, SectionTarget):
        return _sections(generator, target, plan, options, quick=budget == "quick")
    if isinstance(generator, Polycrystal) and isinstance(target, SectionNumbers):
        if budget != "quick" or free is not None or fixed:
            remedy = "Published numbers are met by correcting moments: there is nothing to search for."
            raise InvalidParameter("budget", expected="quick, without free and fixed", got=budget, remedy=remedy)
        return fit_numbers(generator, target, seed=seed, progress=progress)
    raise InvalidParameter(
        "generator",
        expected="a Polycrystal with a scan or numbers, or Curvatubes with a volume or numbers",
        got=f"{type(generator).__name__} with {type(target).__name__}",
    )


def _require_full(generator: Polycrystal) -> None:
    """Sections are cut from quadratic diagrams that fill the box."""
    for name, usual in (("exponent", 2.0), ("void", 0.0)):
        value = getattr(generator, name)
        if value != usual:
            remedy = "Fit first, and replace it in what was found."
            raise InvalidParameter(name, expected=f"{usual:g} in a fit", got=value, remedy=remedy)


def _texture(
    generator: Curvatubes, target: VolumeTarget | WishTarget, plan: Plan, atlas: Atlas | None, options: dict[str, Any]
) -> FitResult[Curvatubes]:
    from microgen.fitting.texture_fit import fit_texture

    return fit_texture(generator, target, plan=plan, atlas=atlas or Atlas.packaged(), **options)


def _sections(
    generator: Polycrystal, target: SectionTarget, plan: Plan, options: dict[str, Any], *, quick: bool
) -> FitResult[Polycrystal]:
    from microgen.fitting.polycrystal_fit import fit_polycrystal, with_parameters

    if not quick:
        return fit_polycrystal(generator, target, plan=plan, **options)
    if options["free"] is not None:
        remedy = "The quick correction searches for nothing: give full, or a number of samples."
        raise InvalidParameter("budget", expected="a search, with names in free", got="quick", remedy=remedy)
    found = _corrected(generator, target, seed=plan.seed, progress=options["progress"])
    return replace(found, generator=with_parameters(found.generator, options["fixed"] or {}))


def _corrected(
    generator: Polycrystal, target: SectionTarget, *, seed: int, progress: Progress | None
) -> FitResult[Polycrystal]:
    from microgen.fitting.quick import corrected_laws

    began = time.perf_counter()
    found = corrected_laws(target, seed=seed, progress=progress)
    laws = cast(Polycrystal, replace(found.generator, grains=generator.grains))
    notes = (*target.notes, *found.notes)
    return FitResult(laws, time.perf_counter() - began, notes, seen=found.objective, history=found.history)
