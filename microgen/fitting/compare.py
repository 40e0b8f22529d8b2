"""Samples against a target, statistic by statistic: sections against a scan, blocks against a volume."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from microgen.descriptors.grains import interior_grains
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.planes import grain_maps, has_orientations
from microgen.fitting.section_target import SectionTarget
from microgen.fitting.sections import Body, sections
from microgen.fitting.statistics import Kind, Statistic
from microgen.fitting.target import Target
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
    if isinstance(target, VolumeTarget | WishTarget):
        return target.compare(parts, seed=seed)
    assert isinstance(target, SectionTarget)
    if len(parts) == 1 and has_diagram(parts[0]):
        return compare_sections(parts[0], target, seed=seed)
    maps = [
        map_
        for part in parts
        for map_ in grain_maps(part, threshold=target.threshold, min_pixels=target.min_pixels, pixels=target.grid)
    ]
    told = all(has_orientations(part) for part in parts) and target.oriented
    return compare_maps([renumbered(ms, target) for ms in maps], target, seed=seed, oriented=told)


def has_diagram(ms: Microstructure) -> bool:
    """Does it hold the power diagram that its grains are cells of?"""
    grains = ms.grains
    if grains is None or grains.sites is None or grains.metrics is None or grains.weights is None:
        return False
    return ms.grid.ndim == 3 and isinstance(ms.grid, Grid)


def compare_maps(
    maps: Sequence[Microstructure], target: SectionTarget, *, seed: int, oriented: bool = True
) -> dict[str, Statistic]:
    """Segmented maps against the scan; without what orientations tell where they are not known."""
    turned = [name for name in target.kinds if name.startswith(("texture", "boundary_misorientation"))]
    return {
        name: _statistic(name, kind, target, maps=list(maps), share=1.0, seed=seed)
        for name, kind in target.kinds.items()
        if oriented or name not in turned
    }


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
    share = distinct_share(body, target)
    return {
        name: _statistic(name, kind, target, maps=maps, share=share, seed=seed) for name, kind in target.kinds.items()
    }


def cut(body: Body, target: SectionTarget, *, rng: np.random.Generator) -> list[Microstructure]:
    """Segmented sections of the body, until they hold four times the scan's grains; three to twelve.

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
