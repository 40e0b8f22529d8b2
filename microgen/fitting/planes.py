"""Maps of grains from whatever shows grains: scans, labelled planes, planes of labelled volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microgen.descriptors.moments import grain_ids
from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import random_orientations
from microgen.segmentation import segment_grains

MOST = 12  # planes of a volume


def grain_maps(
    ms: Microstructure, *, threshold: float, min_pixels: int, pixels: Grid | HexGrid | None = None
) -> list[Microstructure]:
    """Segmented maps: of a scan itself, of a labelled volume planes across z, a mean grain apart, twelve at most.

    Grains without orientations get random ones, so that labels go through the same segmentation as scans do; nothing
    may then be read from them. Planes are sampled at the distances of `pixels`, where that is given and coarser.
    Raises InvalidParameter without grains or orientations, NoGrains where none is large enough.
    """
    planes = [ms] if ms.grid.ndim == 2 else [ms.section(2, index) for index in heights(ms)]
    if pixels is not None and ms.grid.ndim == 3:
        planes = [sampled(plane, min(pixels.spacing)) for plane in planes]
    limits = {"threshold": threshold, "min_pixels": min_pixels}
    return [segment_grains(windowed(oriented(plane)), **limits) for plane in planes]


def windowed(ms: Microstructure) -> Microstructure:
    """The map as a scan shows it: grains at its border are cut, those of a periodic sample too.

    Sections of samples are windows; a periodic plane, which cuts no grain, shows larger ones: by 4 % at 600 grains.
    """
    return replace(ms, grid=replace(ms.grid, periodic=(False, False))) if isinstance(ms.grid, Grid) else ms


def heights(ms: Microstructure) -> list[int]:
    """Layers of a volume that are a mean grain diameter apart, or more."""
    assert isinstance(ms.grid, Grid)
    _, count = grain_ids(ms)
    depth = ms.grid.shape[2]
    diameter = (6 / np.pi * np.prod(ms.grid.lengths) / max(count, 1)) ** (1 / 3)
    number = int(np.clip(ms.grid.lengths[2] / diameter, 1, MOST))
    return [int((k + 0.5) * depth / number) for k in range(number)]


def sampled(plane: Microstructure, step: float) -> Microstructure:
    """A plane at every so many of its points as come nearest to a distance of `step`, µm."""
    assert isinstance(plane.grid, Grid)
    every = [max(1, round(step / h)) for h in plane.grid.spacing]
    if max(every) == 1:
        return plane
    cut = tuple(slice(k // 2, None, k) for k in every)
    arrays = {
        name: None if getattr(plane, name) is None else getattr(plane, name)[cut]
        for name in ("phase_id", "grain_id", "orientation", "level_set", "grey", "measured")
    }
    spacing = tuple(k * h for k, h in zip(every, plane.grid.spacing))
    return replace(plane, grid=Grid(arrays["phase_id"].shape, spacing), **arrays)  # type: ignore[union-attr]


def oriented(plane: Microstructure) -> Microstructure:
    """With an orientation at every point: its own, that of its grain, or one drawn for its grain."""
    if plane.orientation is not None:
        return plane
    if plane.grain_id is None:
        raise InvalidParameter("ms", expected="grains or orientations", got="neither")
    if plane.grains is not None and np.isfinite(plane.grains.orientation).all():
        return replace(plane, orientation=plane.point_orientation)
    drawn = random_orientations(int(plane.grain_id.max(initial=0)) + 1, np.random.default_rng(0))
    phases = plane.phases or (Phase("material"),)
    phase_id = np.where(plane.grain_id > 0, np.maximum(plane.phase_id, 0), -1).astype(np.int16)
    return replace(plane, orientation=drawn[plane.grain_id], grains=None, phases=phases, phase_id=phase_id)


def has_orientations(ms: Microstructure) -> bool:
    """Does it say how its grains are turned?"""
    known = ms.grains is not None and bool(np.isfinite(ms.grains.orientation).all())
    return ms.orientation is not None or known
