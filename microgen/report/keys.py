"""Keys of the inverse-pole-figure colours: the standard sector of each Laue group in stereographic projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from microgen.microstructure import Phase
from microgen.orientation import from_euler, ipf_color
from microgen.report.png import data_uri

# Azimuths of the two corners of the sector off c (degrees) and names of its corners; see microgen.orientation for
# the crystal frame. Cubic sectors end where x = z or y = z, the others at the equator.
_SECTORS = {
    "-1": (0.0, 360.0, ("c", "x", "")),
    "2/m": (0.0, 180.0, ("c", "x", "\u2212x")),
    "mmm": (0.0, 90.0, ("001", "100", "010")),
    "-3": (0.0, 120.0, ("0001", "21\u03051\u03050", "1\u030521\u03050")),
    "-3m": (30.0, 90.0, ("0001", "101\u03050", "011\u03050")),
    "4/m": (0.0, 90.0, ("001", "100", "010")),
    "4/mmm": (0.0, 45.0, ("001", "100", "110")),
    "6/m": (0.0, 60.0, ("0001", "21\u03051\u03050", "112\u03050")),
    "6/mmm": (0.0, 30.0, ("0001", "21\u03051\u03050", "101\u03050")),
    "m-3": (0.0, 90.0, ("001", "101", "011")),
    "m-3m": (0.0, 45.0, ("001", "101", "111")),
}
SIZE = 120
"""Longer side of a key, pixels."""


ALONG_Z = "Colours name the crystal direction along the map normal (z):"


def keys_figure(phases: Sequence[Phase], words: str = ALONG_Z) -> str:
    """One key for each Laue group of the phases, with the names of the phases below."""
    groups: dict[str, list[str]] = {}
    for phase in phases:
        groups.setdefault(phase.laue_group, []).append(phase.name)
    figures = []
    for laue_group, names in groups.items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        caption = f"{shown} ({laue_group})"
        figures.append(f'<figure class="key">{_key_svg(laue_group)}<figcaption>{escape(caption)}</figcaption></figure>')
    return f'<p class="note">{escape(words)}</p><div class="keys">{"".join(figures)}</div>'


def draw_key(laue_group: str, *, pixels: int = 2 * SIZE) -> np.ndarray:
    """The sector with its colours, uint8 RGBA; transparent around it."""
    left, top, right, bottom = frame(laue_group)
    scale = pixels / max(right - left, bottom - top)
    x = np.linspace(left, right, max(2, round((right - left) * scale)))
    y = np.linspace(top, bottom, max(2, round((bottom - top) * scale)))[:, None]
    x, y = np.broadcast_arrays(x, y)
    h = lift(x, y)
    # With Bunge's angles the sample's z lies along h = (sin phi2 sin Phi, cos phi2 sin Phi, cos Phi).
    q = from_euler(0.0, np.arccos(np.clip(h[..., 2], -1, 1)), np.arctan2(h[..., 0], h[..., 1]))
    key = np.zeros((*x.shape, 4), np.uint8)
    key[..., :3] = ipf_color(q, laue_group)
    key[..., 3] = 255 * in_sector(h, laue_group)
    return key


def lift(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Directions [..., 3] whose stereographic pole lies at (x, y), y pointing down in the picture."""
    square = x**2 + y**2
    return np.stack([2 * x, -2 * y, 1 - square], axis=-1) / (1 + square)[..., None]


def pole(h: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Inverse of `lift`."""
    x, y, z = np.asarray(h, float) / np.linalg.norm(h)
    return float(x / (1 + z)), float(-y / (1 + z))


def in_sector(h: np.ndarray, laue_group: str) -> np.ndarray:
    """bool: directions h [..., 3] in the standard sector of the Laue group."""
    x, y, z = np.moveaxis(np.asarray(h, float), -1, 0)
    low, high, _ = _SECTORS[laue_group]
    azimuth = np.degrees(np.arctan2(y, x)) % 360
    inside = (azimuth >= low - 1e-9) & (azimuth <= high + 1e-9) & (z >= -1e-12)
    if laue_group.startswith("m-3"):
        inside &= (x <= z + 1e-12) & (y <= z + 1e-12)
    return inside


def corners(laue_group: str) -> list[tuple[str, tuple[float, float]]]:
    """Names and places of the corners: red, green, blue."""
    low, high, names = _SECTORS[laue_group]
    ends = [(math.cos(math.radians(a)), math.sin(math.radians(a)), 0.0) for a in (low, high)]
    if laue_group == "m-3m":
        ends = [(1, 0, 1), (1, 1, 1)]
    if laue_group == "m-3":
        ends = [(1, 0, 1), (0, 1, 1)]
    return [(name, pole(h)) for name, h in zip(names, [(0, 0, 1), *ends]) if name]


def frame(laue_group: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the sector in the stereographic plane."""
    low, high, _ = _SECTORS[laue_group]
    azimuth = np.radians(np.linspace(low, high, 361))
    h = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(361)], axis=-1)
    if laue_group.startswith("m-3"):
        h[:, 2] = np.maximum(h[:, 0], h[:, 1])
        h /= np.linalg.norm(h, axis=1, keepdims=True)
    x, y = h[:, 0] / (1 + h[:, 2]), -h[:, 1] / (1 + h[:, 2])
    return min(0.0, x.min()), min(0.0, y.min()), max(0.0, x.max()), max(0.0, y.max())


def _key_svg(laue_group: str) -> str:
    left, top, right, bottom = frame(laue_group)
    scale = SIZE / max(right - left, bottom - top)
    width, height = (right - left) * scale, (bottom - top) * scale
    named = corners(laue_group)
    places = np.array([[(x - left) * scale, (y - top) * scale] for _, (x, y) in named])
    outward = places - places.mean(axis=0)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    texts = [
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{name}</text>'
        for (name, _), (x, y) in zip(named, places + outward * (17, 12))
    ]
    image = f'<image href="{data_uri(draw_key(laue_group))}" width="{width:.1f}" height="{height:.1f}"/>'
    size = f'viewBox="-34 -18 {width + 68:.1f} {height + 36:.1f}" width="{width + 68:.0f}" height="{height + 36:.0f}"'
    return f'<svg {size} role="img" aria-label="colour key">{image}{"".join(texts)}</svg>'
