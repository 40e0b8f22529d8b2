"""Samples against a target, statistic by statistic: sections against a scan, blocks against a volume."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microgen.descriptors.grains import interior_grains
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.planes import SIDES, grain_maps, has_orientations
from microgen.fitting.published import SectionNumbers
from microgen.fitting.section_target import SectionTarget
from microgen.fitting.sections import Body, sections
from microgen.fitting.statistics import Kind, Statistic
from microgen.fitting.target import Target
from microgen.fitting.views import DIRECTED, Maps, together
from microgen.fitting.volume_target import VolumeTarget
from microgen.fitting.wish_target import WishTarget
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase

TIMES, ENOUGH = 4, 500  # grains of the sections: so many times the scan's, and so many at least
FEWEST = 3  # planes


def compare(samples: Microstructure | Sequence[Microstructure], target: Target, *, seed: int) -> dict[str, Statistic]:
    """Every statistic of one or several samples against the target's, with the noise floor for what is compared.

    `seed` draws the places of sections, and the resamples of the noise floor. Raises InvalidParameter for samples that
    cannot be seen as the target was: without a power diagram for a scan, with other voxels for a volume.
    """
    parts = [samples] if isinstance(samples, Microstructure) else list(samples)
    if isinstance(target, VolumeTarget | WishTarget | SectionNumbers):
        return target.compare(parts, seed=seed)
    assert isinstance(target, SectionTarget)
    if len(parts) == 1 and has_diagram(parts[0]):
        return compare_sections(parts[0], target, seed=seed)
    maps = seen_alike(parts, target)
    told = all(has_orientations(part) for part in parts) and target.oriented
    return compare_views(maps, target, seed=seed, oriented=told)


def seen_alike(parts: Sequence[Microstructure], target: SectionTarget) -> dict[str, list[Microstructure]]:
    """Segmented maps of scans and labelled volumes, at the pixels of the target, by the planes it has."""
    sides = [plane for plane in SIDES if plane in target.views] or ["xy"]
    pixels = {plane: target.views[plane].grid if plane in target.views else target.grid for plane in sides}
    limits: dict[str, Any] = {"threshold": target.threshold, "min_pixels": target.min_pixels}
    found: dict[str, list[Microstructure]] = {}
    for part in parts:
        for plane, maps in grain_maps(part, pixels=pixels, sides=sides, **limits).items():
            found.setdefault(plane, []).extend(renumbered(ms, target) for ms in maps)
    return found


def has_diagram(ms: Microstructure) -> bool:
    """Does it hold the power diagram that its grains are cells of?"""
    grains = ms.grains
    if grains is None or grains.sites is None or grains.metrics is None or grains.weights is None:
        return False
    return ms.grid.ndim == 3 and isinstance(ms.grid, Grid)


def renumbered(ms: Microstructure, target: SectionTarget) -> Microstructure:
    """With its phases numbered as the target numbers them. Raises InvalidParameter for others."""
    assert ms.grains is not None
    number = phase_numbers(ms.phases, target, np.unique(ms.grains.phase_id))
    table = np.append(number, -1)  # -1 stays what it is
    grains = replace(ms.grains, phase_id=table[ms.grains.phase_id])
    return replace(ms, phases=target.scan.phases, phase_id=table[ms.phase_id].astype(np.int16), grains=grains)


def compare_sections(sample: Microstructure, target: SectionTarget, *, seed: int) -> dict[str, Statistic]:
    """Every statistic of fresh sections of the sample against the scan's, with the noise floor for these counts.

    The sections are evaluated straight from the sample's power diagram at the scan's own pixels, at places drawn from
    `seed`, and go through the scan's own segmentation. Raises InvalidParameter for a sample without a diagram or with
    phases that the scan lacks.
    """
    body = with_phases_of(Body.of(sample), target)
    maps = cut(body, target, rng=np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))))
    shares = distinct_shares(body, target)
    return compare_views(maps, target, seed=seed, shares=shares, oriented=target.oriented)


def compare_views(
    maps: Maps, target: SectionTarget, *, seed: int, shares: Mapping[str, float] | None = None, oriented: bool = True
) -> dict[str, Statistic]:
    """Segmented maps of each plane against the target's: what depends on the side plane by plane, the rest together.

    `shares` of the maps' grains are no repetitions. Where they are not `oriented`, what orientations tell is left out.
    """
    shares = shares or dict.fromkeys(maps, 1.0)
    found: dict[str, Statistic] = {}
    for name in DIRECTED if target.sides else ():
        for plane in [plane for plane in maps if plane in target.sides]:
            side = target.sides[plane]
            options: dict[str, Any] = {"maps": list(maps[plane]), "share": shares[plane], "seed": seed}
            found[f"{name}.{plane}"] = _statistic(name, side.kinds[name], side, **options)
    share = sum(shares.values()) / len(shares)
    pooled = together(maps)
    for name, kind in target.kinds.items():
        known = oriented or not name.startswith(("texture", "boundary_misorientation"))
        if known and not (target.sides and name in DIRECTED):
            found[name] = _statistic(name, kind, target, maps=pooled, share=share, seed=seed)
    return found


def cut(body: Body, target: SectionTarget, *, rng: np.random.Generator) -> dict[str, list[Microstructure]]:
    """Segmented sections of the body in each plane of the target."""
    return {plane: cut_plane(body.turned(plane), side, rng=rng) for plane, side in target.views.items()}


def cut_plane(body: Body, target: SectionTarget, *, rng: np.random.Generator) -> list[Microstructure]:
    """Segmented sections across z, until they hold four times the scan's grains; three to twelve.

    Planes in which no grain is large enough to keep are left out.
    """
    maps: list[Microstructure] = []
    share, grains = distinct_share(body, target), 0.0
    for plane in sections(body, target.grid, rng=rng):
        if len(maps) >= FEWEST and grains >= max(TIMES * target.interior, ENOUGH):
            break
        try:
            maps.append(target.segment(plane))
        except NoGrains:
            continue
        grains += share * interior_grains(maps[-1]).sum()
    if not maps:
        raise NoGrains("No section of the sample holds a grain that the scan's pipeline would keep.")
    return maps


def distinct_share(body: Body, target: SectionTarget) -> float:
    """Share of the sections' grains that are not repetitions of a sample smaller than the map."""
    pairs = zip(target.grid.lengths, body.diagram.lengths)
    return math.prod(min(1.0, ours / wide) for wide, ours in pairs)


def distinct_shares(body: Body, target: SectionTarget) -> dict[str, float]:
    """The same for each plane of the target."""
    return {plane: distinct_share(body.turned(plane), side) for plane, side in target.views.items()}


def with_phases_of(body: Body, target: SectionTarget) -> Body:
    """The same body with its phases numbered as the scan numbers them."""
    table = phase_numbers(body.phases, target, range(len(body.phases)))
    return replace(body, phase_id=table[body.phase_id], phases=target.scan.phases)


def phase_numbers(phases: Sequence[Phase], target: SectionTarget, used: Iterable[int]) -> np.ndarray:
    """int [phases]: the target's number of each, by name; of single phases on both sides names do not matter."""
    number = dict(zip(target.phase_names, target.phases))
    used = [int(p) for p in used]
    if len(used) == len(number) == 1:
        return np.full(max(len(phases), 1), target.phases[0])
    strange = [phases[p].name for p in used if phases[p].name not in number]
    if strange:
        raise InvalidParameter("phases", expected=f"phases of the scan: {', '.join(number)}", got=", ".join(strange))
    return np.array([number.get(p.name, -1) for p in phases])


def _statistic(
    name: str, kind: Kind, target: SectionTarget, *, maps: list[Microstructure], share: float, seed: int
) -> Statistic:
    there, here = target.measured[name], kind.measure(maps)
    empty = kind.count(there) == 0 or kind.count(here) == 0
    floor = distance = math.nan
    p95 = math.nan
    if not empty:
        distance = kind.distance(there, here)
        count = max(1, round(kind.count(here) * share))
        floor, p95 = kind.floor(there, count, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,))))
    return Statistic(
        target=kind.value(there),
        achieved=kind.value(here) if kind.count(here) else math.nan,
        distance=distance,
        noise_floor=floor,
        noise_floor_p95=p95,
        in_objective=kind.in_objective,
        unit=kind.unit,
        target_values=kind.shown(there),
        achieved_values=kind.shown(here),
    )
