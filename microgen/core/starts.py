"""Fields a flow starts from: noise, balls or rods at random places, or a given one."""

from __future__ import annotations

import math

import numpy as np

from microgen.core.operators import Array, Modes

START_RMS = 0.37  # rms of the published start, u = blur(div A + m) with A uniform in [0, 0.4] and dx = 0.01
RADIUS = {"spheres": 4.0, "tubes": 2.5}  # in eps: those of the presets of these names
EDGE = 4.0  # eps beyond its radius to which an object is drawn: there u is -0.993


def noise(modes: Modes, width: float, rng: np.random.Generator) -> Array:
    """The published start: u - m is noise with spectrum k exp(-(eps k)²/2), of rms 0.37. Drawn in float64."""
    amplitudes = rng.standard_normal(modes.counts) * modes.k * np.exp(-((width * modes.k) ** 2) / 2)
    return amplitudes * (START_RMS * math.sqrt(math.prod(modes.shape) / max((amplitudes**2).sum(), 1e-300)))


def from_field(modes: Modes, field: Array) -> Array:
    """Amplitudes of a given field; its mean is replaced by the mass, what is finer than the modes is lost."""
    amplitudes = modes.from_voxels(field.astype(np.float32))
    amplitudes.flat[0] = 0
    return amplitudes


def scattered(modes: Modes, kind: str, mass: float, width: float, rng: np.random.Generator) -> Array:
    """Amplitudes of balls, or of straight rods half the box long, at random until the mean of u is the mass.

    u = tanh((radius - distance) / (sqrt 2 eps)), of overlapping ones the largest; drawn on the points of the modes.
    """
    lengths = np.array(modes.shape) * modes.spacing
    radius, half = RADIUS[kind] * width, float(lengths.min()) / 4 if kind == "tubes" else 0.0
    u = np.full(modes.counts, -1.0)
    total = u.sum()
    while total < mass * u.size:
        centre, way = rng.uniform(size=u.ndim) * lengths, rng.standard_normal(u.ndim)
        way /= np.linalg.norm(way)
        reach = half * np.abs(way) + radius + EDGE * width
        places, offsets = _window(modes, centre, reach, lengths)
        along = np.clip(sum(x * w for x, w in zip(offsets, way)), -half, half)
        distance = np.sqrt(sum((x - along * w) ** 2 for x, w in zip(offsets, way)))
        before = u[np.ix_(*places)]
        after = np.maximum(before, np.tanh((radius - distance) / (math.sqrt(2) * width)))
        u[np.ix_(*places)] = after
        total += (after - before).sum()
    amplitudes = modes.from_points(u.astype(modes.dtype)) * math.sqrt(math.prod(modes.shape) / u.size)
    amplitudes.flat[0] = 0
    return amplitudes


def _window(modes: Modes, centre: Array, reach: Array, lengths: Array) -> tuple[list[Array], list[Array]]:
    """Points within reach of a place along each axis, and how far they are from it, open grid; the nearest images."""
    places, offsets = [], []
    for axis, (count, wraps) in enumerate(zip(modes.counts, modes.periodic)):
        step = lengths[axis] / count
        middle = centre[axis] / step - 0.5
        first, last = math.ceil(middle - reach[axis] / step), math.floor(middle + reach[axis] / step)
        if wraps and last - first >= count:
            first = math.ceil(middle - count / 2)
            last = first + count - 1
        index = np.arange(first, last + 1) if wraps else np.arange(max(first, 0), min(last, count - 1) + 1)
        places.append(index % count)
        offsets.append(((index - middle) * step).reshape([-1 if k == axis else 1 for k in range(len(lengths))]))
    return places, offsets
