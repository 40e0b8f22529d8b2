"""Laws whose sections look like the scan, by a handful of corrections of section moments.

Nothing is unfolded. A sample is made, cut, segmented and measured as the scan was, and the laws are moved by what the
sections lack: quantiles of the diameters, mean and spread of the aspect ratios, alignment of the long axes. The random
numbers are the same in every round, so that a difference between two rounds comes from the laws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from microgen.core.power_diagram import PowerDiagram
from microgen.descriptors.boundaries import boundary_misorientation
from microgen.descriptors.distribution import Distribution
from microgen.fitting import views
from microgen.fitting.compare import TIMES, cut, distinct_shares, with_phases_of
from microgen.fitting.first_guess import (
    CHANCE,
    FLATTEST,
    Guess,
    alignment,
    fabric_of,
    first_guess,
    forms_of,
    phases_of_diameters,
    preferred,
    reduced,
)
from microgen.fitting.kernel_width import kernel_width
from microgen.fitting.section_target import SectionTarget, whole
from microgen.fitting.sections import Body
from microgen.fitting.statistics import pooled, thinned
from microgen.fitting.views import Maps, resultant
from microgen.generators.box import resolve_box
from microgen.generators.laws import AspectRatioLaw, Fabric, PhaseLaw, Texture
from microgen.generators.polycrystal import Polycrystal
from microgen.generators.solve import PROBES, coarser, untangle
from microgen.microstructure import Microstructure, Phase

ROUNDS = 6
ROUGH = 2  # rounds whose samples are left with some cells cut in two
GRAINS = 1000  # of the samples that are only cut: enough for sections, few enough to be quick
GOOD = 0.4  # mean distance over p95 below which no further round is worth its time
CLOSE = 0.2  # mean distance over p95 that tells flat grains from long ones: less is left to chance
WIDEST = 0.8  # deviation of the aspect ratio over its excess beyond which grains only cut each other
MEDIAN_CHANCE = 0.83  # over sqrt(n): the median of what CHANCE is the 95th percentile of
ANGLES, FEWEST_BOUNDARIES = 200, 30
FITTED = ("equivalent_diameter", "aspect_ratio")

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Round:
    """One sample of the fit: what it was made of, and how far its sections were from the scan."""

    objective: float
    """Mean of distance over noise floor p95 of the fitted statistics."""
    distances: dict[str, float]
    parameters: dict[str, float]


def corrected_laws(target: SectionTarget, *, seed: int, progress: Progress | None = None) -> Corrected:
    """The laws whose sections are nearest to the target.

    Orientations are drawn from the scan's own grains, phases have its shares. Long and flat grains are both tried where
    sections leave it open. Deterministic in `seed`.
    """
    fixed, forms = Fixed.of(target), forms_of(target)
    found = []
    for k, form in enumerate(forms):
        found.append(_corrected(target, fixed, form, seed=seed, progress=_part(progress, k, len(forms))))
        fixed = replace(fixed, floors=found[-1].fixed.floors)
    if progress is not None:
        progress(1.0, f"corrected in {sum(len(each.history) for each in found)} rounds")
    return _likelier(found)


def _likelier(found: list[Corrected]) -> Corrected:
    """Long grains, unless flat ones come CLOSE nearer: a plane often shows the same of both."""
    if len(found) == 1:
        return found[0]
    long, flat = found
    apart = long.objective - flat.objective
    if apart > CLOSE:
        return flat
    if apart < -CLOSE:
        return long
    ratios = [each.generator.aspect_ratio.mean for each in found]
    note = f"flat grains (aspect ratio {ratios[1]:.2f}) would show the same as the long ones ({ratios[0]:.2f}) taken"
    return replace(long, notes=(note,))


def _corrected(target: SectionTarget, fixed: Fixed, form: str, *, seed: int, progress: Progress | None) -> Corrected:
    guess, history, best = first_guess(target, fixed.factors, form), [], None
    for k in range(ROUNDS):
        if progress is not None:
            progress(k / ROUNDS, f"round {k + 1}: sections of a sample of {GRAINS} grains")
        laws = polycrystal(guess, fixed)
        maps, floors = rehearse(laws, fixed, target, seed=seed, probes=3 if k < ROUGH else PROBES)
        fixed = replace(fixed, floors=fixed.floors or floors)
        done = _round(guess, target, fixed, maps)
        history.append(done)
        if best is None or done.objective < best[0].objective:
            best = (done, guess)
        if k >= ROUGH and (best[0].objective <= GOOD or _settled(history)):
            break
        guess = corrected(guess, target, fixed, maps)
    assert best is not None
    return Corrected(polycrystal(best[1], fixed), fixed, tuple(history))


def _part(progress: Progress | None, k: int, n: int) -> Progress | None:
    """Piece k of n of a bar."""
    if progress is None:
        return None
    tell = progress
    return lambda fraction, message: tell((k + fraction) / n, message)


def _settled(history: list[Round]) -> bool:
    """Have the last two rounds brought less than a tenth?"""
    before = min((done.objective for done in history[:-2]), default=math.inf)
    return min(done.objective for done in history[-2:]) > 0.9 * before


@dataclass(frozen=True, eq=False)
class Fixed:
    """What the scan says directly, and the fit does not touch."""

    phases: tuple[PhaseLaw, ...]
    texture: Texture
    factors: np.ndarray
    """Size factor of each phase of the scan [all its phases]."""
    floors: dict[str, tuple[float, float]]
    """Noise floor (median, p95) of the fitted statistics."""

    @classmethod
    def of(cls, target: SectionTarget) -> Fixed:
        scan = target.scan
        factors = size_factors(target)
        known = zip(target.phases, target.phase_names, target.phase_fractions)
        laws = [
            PhaseLaw(name, share, scan.phases[p].laue_group, scan.phases[p].lattice, float(factors[p]))
            for p, name, share in known
        ]
        measured = [target.measured[f"texture.{name}"] for name in target.phase_names]
        orientations, areas = ([thinned(part[k]) for part in measured] for k in (0, 1))
        width = kernel_width(orientations, areas, [scan.phases[p].laue_group for p in target.phases])
        boundaries = tuple(misorientations(target, p) for p in target.phases)
        texture = Texture("measured", width, tuple(orientations), tuple(areas), boundaries)
        return cls(tuple(laws), texture, factors, {})


@dataclass(frozen=True, eq=False)
class Corrected:
    """The generator whose sections came nearest to the scan, of GRAINS grains."""

    generator: Polycrystal
    fixed: Fixed
    history: tuple[Round, ...]
    notes: tuple[str, ...] = ()
    """What the sections leave open."""

    @property
    def objective(self) -> float:
        """Of the best round."""
        return min(done.objective for done in self.history)


def misorientations(target: SectionTarget, phase: int) -> tuple[float, ...]:
    """Disorientation angles over the boundaries of a phase at ANGLES probabilities, radians.

    None where boundaries are few, or so much of the map is missing that it hardly shows who borders whom.

    Lengths of boundaries in a section are as their areas in the volume, for boundaries of all directions alike.
    """
    found = pooled([boundary_misorientation(ms, phase_id=phase) for ms in target.maps])
    if len(found) < FEWEST_BOUNDARIES or not target.oriented or not whole(target.maps):
        return ()
    return tuple(float(f"{found.quantile((k + 0.5) / ANGLES):.6g}") for k in range(ANGLES))


def size_factors(target: SectionTarget) -> np.ndarray:
    """Mean section diameter of each phase over that of all, drawn to 1 where grains are few; [all phases of the scan].

    Scaled so that sum of share / factor³ = 1: then the mean of the size law is the one that fills a box.
    """
    diameters, factors = target.diameters, np.ones(len(target.scan.phases))
    phase = np.concatenate([phases_of_diameters(ms) for ms in target.maps])
    for p in target.phases:
        mine = diameters.values[phase == p]
        if len(mine):
            factors[p] = (mine.mean() / diameters.mean) ** (len(mine) / (len(mine) + 10))
    shares = np.array(target.phase_fractions)
    scale = (shares / factors[list(target.phases)] ** 3).sum() ** (1 / 3)
    return np.round(factors * scale, 6)


def polycrystal(guess: Guess, fixed: Fixed) -> Polycrystal:
    """The generator of a guess."""
    mean = float(f"{guess.aspect_mean:.5g}")
    cv = float(f"{guess.aspect_sd / guess.aspect_mean:.5g}") if mean > 1 else 0.0
    return Polycrystal(
        GRAINS,
        size=guess.size.law(),
        aspect_ratio=AspectRatioLaw(mean, cv, guess.form),  # type: ignore[arg-type]
        fabric=Fabric(guess.axis, float(f"{guess.concentration:.5g}")),
        phases=fixed.phases,
        texture=fixed.texture,
        lloyd=guess.lloyd,
    )


def rehearse(
    generator: Polycrystal, fixed: Fixed, target: SectionTarget, *, seed: int, probes: int = PROBES
) -> tuple[dict[str, list[Microstructure]], dict[str, tuple[float, float]]]:
    """Segmented sections of a sample of the laws, which is solved on a coarse grid only, by the name of their plane;
    and the noise floors."""
    grid, _, _ = resolve_box(GRAINS, None, None, None, size_law=generator.size)
    layout = generator.layout(grid, seed=seed)
    _, solution = untangle(layout, grid, steps=generator.lloyd, probes=probes)
    coarse = coarser(grid, GRAINS)
    layout, _ = generator.turned(layout, solution.slabs(), coarse, seed)
    phases = tuple(Phase(p.name, p.laue_group) for p in fixed.phases)
    body = with_phases_of(
        Body(cast(PowerDiagram, solution.diagram), layout.phase_id, layout.orientation, phases), target
    )
    maps = cut(body, target, rng=np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,))))
    return maps, fixed.floors or _floors(target, maps, distinct_shares(body, target))


def _floors(target: SectionTarget, maps: Maps, shares: dict[str, float]) -> dict[str, tuple[float, float]]:
    chance = math.sqrt(sum(1 / side.interior for side in target.views.values()) / len(target.views))
    out = {"axis": (MEDIAN_CHANCE * chance, CHANCE * chance)}
    for name in FITTED:
        kind = target.kinds[name]
        count = max(1, round(sum(kind.count(kind.measure(maps[plane])) * share for plane, share in shares.items())))
        out[name] = kind.floor(target.measured[name], count, np.random.default_rng(0))
    return out


def compared(
    target: SectionTarget, fixed: Fixed, maps: Maps
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    """Distances of the fitted statistics and of the mean axis, their floors, and what the sections showed."""
    found = {name: shown(target, maps, name) for name in FITTED}
    distances = {name: target.kinds[name].distance(target.measured[name], found[name]) for name in FITTED}
    distances["axis"] = _misalignment(target, maps)
    return distances, fixed.floors, {name: target.kinds[name].value(found[name]) for name in FITTED}


def shown(target: SectionTarget, maps: Maps, name: str) -> Distribution:
    """A statistic of sections of all planes."""
    found = {plane: target.kinds[name].measure(parts) for plane, parts in maps.items()}
    if not target.sides:
        return found["xy"]
    values = balanced(target, {plane: of.values for plane, of in found.items()})
    return replace(next(iter(found.values())), values=values, weights=np.ones(len(values)), grain_id=None)


def balanced(target: SectionTarget, values: dict[str, np.ndarray]) -> np.ndarray:
    """Values of all planes, of which each holds as much as it does in the target."""
    if not target.sides:
        return values["xy"]
    counts = {plane: TIMES * side.interior for plane, side in target.sides.items()}
    parts = [np.quantile(of, (np.arange(counts[plane]) + 0.5) / counts[plane]) for plane, of in values.items()]
    return np.concatenate(parts)


def _round(guess: Guess, target: SectionTarget, fixed: Fixed, maps: Maps) -> Round:
    distances, floors, _ = compared(target, fixed, maps)
    directed = preferred(target, guess.form)[1] > 0  # else the mean axis is chance
    counted = {name: distance for name, distance in distances.items() if directed or name != "axis"}
    ratios = [distance / floors[name][1] for name, distance in counted.items() if floors[name][1] > 0]
    law = guess.size.law()
    parameters = {
        "size.mean": law.resolved_mean or math.nan,
        "size.cv": math.sqrt(max(law.relative_moment(2) - 1, 0.0)),
        "aspect_ratio.mean": guess.aspect_mean,
        "aspect_ratio.cv": guess.aspect_sd / guess.aspect_mean,
        "fabric.concentration": guess.concentration,
        "lloyd": guess.lloyd,
    }
    return Round(float(np.mean(ratios)) if ratios else 0.0, distances, parameters)


def _misalignment(target: SectionTarget, maps: Maps) -> float:
    """Difference of the mean axes of scan and sections, as vectors of the doubled angle."""
    wanted = {plane: resultant(side.measured["axis_angle"][1]) for plane, side in target.views.items()}
    return views.misalignment(wanted, shown_axes(target, maps))


def shown_axes(target: SectionTarget, maps: Maps) -> dict[str, complex]:
    """Mean of exp(2 i angle) of the long axes in each plane."""
    return {plane: resultant(target.kinds["axis_angle"].measure(parts)[1]) for plane, parts in maps.items()}


ROUND = 1.15  # mean aspect ratio of the law below which more regular sites do better than rounder grains
REGULAR = 3  # Lloyd steps added at a time


def corrected(guess: Guess, target: SectionTarget, fixed: Fixed, maps: Maps) -> Guess:
    """The guess moved by what the sections lack."""
    achieved = balanced(target, {plane: reduced(parts, fixed.factors) for plane, parts in maps.items()})
    size = guess.size.corrected(reduced(target.maps, fixed.factors), achieved, damping=0.8)
    there, here = target.measured["aspect_ratio"], shown(target, maps, "aspect_ratio")
    # Sections show about 0.4 of a change of the grains' aspect ratio, and 0.2 of it in their spread.
    mean = guess.aspect_mean + (there.mean - here.mean) / 0.4
    lloyd = guess.lloyd
    if mean < ROUND and lloyd < 3 * REGULAR:  # randomly placed grains are less round than these: order the sites first
        lloyd, mean = lloyd + REGULAR, guess.aspect_mean
    mean = float(np.clip(mean, 1.0, FLATTEST))
    lacking = there.sd - here.sd - 0.2 * (mean - guess.aspect_mean)
    sd = float(np.clip(guess.aspect_sd + lacking / 0.5, 0.0, WIDEST * (mean - 1)))
    strength = _concentration(guess, target, maps)
    return replace(guess, size=size, aspect_mean=mean, aspect_sd=sd, concentration=strength, lloyd=lloyd)


def _concentration(guess: Guess, target: SectionTarget, maps: Maps) -> float:
    wanted, along = _strengths(target, shown_axes(target, maps))
    if wanted == 0:
        return 0.0
    odds = [r / (1 - min(r, 0.95) ** 2) for r in (wanted, max(along, 0.02))]
    return float(np.clip(guess.concentration * np.clip(odds[0] / odds[1], 0.4, 2.5), 0.05, 200.0))


def _strengths(target: SectionTarget, axes: dict[str, complex]) -> tuple[float, float]:
    """How much the target prefers its axis, and the sections prefer that one."""
    if target.sides:
        fabric = fabric_of(target)
        return fabric.strength, views.along(axes, fabric)
    axis, wanted = alignment(target)
    return wanted, (axes["xy"] * complex(axis[0], -axis[1]) ** 2).real
