"""`Polycrystal` before published numbers: laws whose sections show them, by a handful of corrections of moments."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from microgen.core.power_diagram import PowerDiagram
from microgen.fitting.first_guess import FLATTEST
from microgen.fitting.published import SIZES, SectionNumbers
from microgen.fitting.quick import GRAINS
from microgen.fitting.result import FitResult, Progress
from microgen.fitting.sections import Body
from microgen.fitting.statistics import Statistic
from microgen.generators.box import resolve_box
from microgen.generators.laws import AspectRatioLaw
from microgen.generators.polycrystal import Polycrystal
from microgen.generators.solve import untangle

ROUNDS = 8
GOOD = 0.5  # of the tolerance
SPHERE = 1.27  # mean diameter of spheres over that of their sections, 4/pi
SPREAD_SEEN = 0.8  # of a change of the squared cv of diameters in space, in sections
RATIO_SEEN, RATIO_SPREAD_SEEN = 0.4, 0.5  # of a change of the aspect ratio, and of its deviation, in sections


def fit_numbers(
    base: Polycrystal, target: SectionNumbers, *, seed: int, progress: Progress | None = None
) -> FitResult[Polycrystal]:
    """`base` with size and aspect ratio laws whose sections show the numbers, by corrections of moments.

    What no number is given for stays as it is in `base`. Random numbers are the same in every round.
    """
    began, best, history, all_off = time.perf_counter(), None, [], []
    laws = replace(base, size=replace(base.size, kind="lognormal", quantiles=(), mean=SPHERE * target.diameter))
    for k in range(ROUNDS):
        if progress is not None:
            progress(k / ROUNDS, f"round {k + 1}: sections of a sample of {GRAINS} grains")
        found = target.compare([], seed=seed, body=_body(laws, seed=seed))
        off = max(s.distance / s.noise_floor_p95 for s in found.values())
        history.append({name: s.achieved for name, s in found.items()})
        if best is None or off < best[0]:
            best = (off, laws)
        all_off.append(off)
        if off < GOOD or _settled(all_off):
            break
        laws = _corrected(laws, found)
    assert best is not None
    status = "inside" if best[0] <= 1 else "corrected"
    return FitResult(best[1], time.perf_counter() - began, (), status, best[0], seen=best[0], history=tuple(history))


def _settled(off: list[float]) -> bool:
    """Have the last two rounds brought less than a tenth?"""
    return len(off) > 3 and min(off[-2:]) > 0.9 * min(off[:-2])


def _body(laws: Polycrystal, *, seed: int) -> Body:
    sized = cast(Polycrystal, replace(laws, grains=GRAINS))
    grid, _, _ = resolve_box(GRAINS, None, None, None, size_law=sized.size)
    layout = sized.layout(grid, seed=seed)
    _, solution = untangle(layout, grid, steps=sized.lloyd)
    return Body(cast(PowerDiagram, solution.diagram), layout.phase_id, layout.orientation, ())


def _corrected(laws: Polycrystal, found: Mapping[str, Statistic]) -> Polycrystal:
    """The laws moved by what sections lack."""
    size, ratio = laws.size, laws.aspect_ratio
    name = next(name for name in SIZES if name in found)
    there, here = found[name].target, found[name].achieved
    factor = 2 ** ((here - there) / 2) if name == "astm_grain_size" else there / here
    size = replace(size, mean=float(f"{(size.mean or 1.0) * factor:.6g}"))
    if "equivalent_diameter_cv" in found:
        s = found["equivalent_diameter_cv"]
        square = size.cv**2 + (s.target**2 - s.achieved**2) / SPREAD_SEEN
        size = replace(size, cv=float(f"{math.sqrt(np.clip(square, 0.02**2, 1.5**2)):.5g}"))
    mean, sd = ratio.mean, ratio.cv * ratio.mean
    if "aspect_ratio" in found:
        s = found["aspect_ratio"]
        mean = float(np.clip(mean + (s.target - s.achieved) / RATIO_SEEN, 1.0, FLATTEST))
    if "aspect_ratio_cv" in found:
        s = found["aspect_ratio_cv"]
        sd = max(sd + (s.target - s.achieved) * mean / RATIO_SPREAD_SEEN, 0.0)
    cv = float(f"{sd / mean:.5g}") if mean > 1 else 0.0
    return replace(laws, size=size, aspect_ratio=AspectRatioLaw(float(f"{mean:.5g}"), cv, ratio.form))
