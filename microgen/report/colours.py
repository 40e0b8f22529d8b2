"""Colours of maps and samples: by orientation (inverse pole figure), and so that grains can be told apart."""

from __future__ import annotations

import colorsys

import numpy as np

from microgen.microstructure import Microstructure, Phase
from microgen.orientation import ipf_color

NOT_INDEXED = (203, 206, 212)
"""Points that were measured and not indexed, and void."""
PHASE_HUES = (0.58, 0.08, 0.36, 0.80, 0.95, 0.17, 0.47, 0.70)
"""One a phase, repeated beyond eight."""


def ipf_of_points(ms: Microstructure, *, direction: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> np.ndarray:
    """Inverse-pole-figure colour of every point: uint8 [points, 3], grey where nothing was indexed."""
    if ms.orientation is None:
        return by_grain(ms, ipf_of_grains(ms, direction=direction))
    phase = ms.phase_id.ravel()
    return ipf_of_orientations(ms.orientation.reshape(-1, 4), phase, ms.phases, direction=direction)


def ipf_of_grains(ms: Microstructure, *, direction: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> np.ndarray:
    """Inverse-pole-figure colour of every grain of the table: uint8 [grains, 3]."""
    assert ms.grains is not None
    return ipf_of_orientations(ms.grains.orientation, ms.grains.phase_id, ms.phases, direction=direction)


def by_grain(ms: Microstructure, colours: np.ndarray) -> np.ndarray:
    """Colour of every point from those of the grains, uint8 [points, 3]; grey outside all grains."""
    assert ms.grain_id is not None
    table = np.vstack([np.array([NOT_INDEXED], np.uint8), colours])
    return table[ms.grain_id.ravel()]


def grain_colours(phase_of_grain: np.ndarray, phases: int) -> np.ndarray:
    """Colours that tell grains apart, uint8 [grains, 3]: all hues, or one hue a phase where there are several."""
    n = len(phase_of_grain)
    # Multiples of irrational steps spread evenly and put successive (often neighbouring) grains far apart.
    first, second, third = (np.modf(np.arange(1, n + 1) * step)[0] for step in (0.754878, 0.569840, 0.430160))
    if phases > 1:
        own = np.array(PHASE_HUES)[np.asarray(phase_of_grain) % len(PHASE_HUES)]
        hue, saturation, value = own + 0.07 * (first - 0.5), 0.25 + 0.5 * second, 0.62 + 0.36 * third
    else:
        hue, saturation, value = first, 0.30 + 0.35 * second, 0.72 + 0.25 * third
    rgb = [colorsys.hsv_to_rgb(h % 1, s, v) for h, s, v in zip(hue, saturation, value)]
    return np.round(255 * np.array(rgb).reshape(n, 3)).astype(np.uint8)


def phase_colour(phase: int) -> str:
    """CSS colour that stands for a phase in `grain_colours`."""
    return "#{:02x}{:02x}{:02x}".format(*phase_rgb(phase))


def phase_rgb(phase: int) -> tuple[int, int, int]:
    """The same from 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb(PHASE_HUES[phase % len(PHASE_HUES)], 0.5, 0.8)
    return round(255 * red), round(255 * green), round(255 * blue)


def ipf_of_orientations(
    q: np.ndarray, phase: np.ndarray, phases: tuple[Phase, ...], *, direction: tuple[float, float, float]
) -> np.ndarray:
    """Colours of orientations [n, 4] of phases [n], each phase with its own symmetry."""
    colours = np.full((len(q), 3), NOT_INDEXED, np.uint8)
    for k, each in enumerate(phases):
        mine = phase == k
        if mine.any():
            colours[mine] = ipf_color(q[mine], each.laue_group, direction)
    return colours
