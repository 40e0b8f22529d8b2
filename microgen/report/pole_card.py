"""The card of a phase's pole figures: scan and sample below one another, one colour scale for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from microgen.microstructure import Phase
from microgen.orientation import random_orientations
from microgen.report import markup
from microgen.report.crystal_planes import planes_of
from microgen.report.png import data_uri
from microgen.report.pole_figures import PoleFigures, band_colours, draw_figure, levels
from microgen.report.tables import number

DISC, GAP, LEFT, TOP, RIGHT = 128, 16, 66, 26, 62
"""Sizes in the picture: discs and what lies between and around them."""


@dataclass(frozen=True)
class Oriented:
    """Orientations of the grains of one phase in one of the samples."""

    name: str
    q: np.ndarray
    """float64 [n, 4]"""
    weights: np.ndarray
    """float64 [n]: areas or volumes."""


def pole_card(phase: Phase, rows: Sequence[Oriented], figures: PoleFigures) -> str:
    """The card; `rows` are the scan's orientations and the sample's, or the sample's alone."""
    planes = planes_of(phase)
    densities = [[figures.density(row.q, row.weights, normals) for _, normals in planes] for row in rows]
    edges = levels(max(float(d.max()) for row in densities for d in row))
    picture = _svg([name for name, _ in planes], [row.name for row in rows], densities, edges)
    chance = [number(_by_chance(row, planes, figures)) for row in rows]
    reached = " and ".join(f"{c} ({row.name.lower()}, {len(row.q)} grains)" for row, c in zip(rows, chance))
    words = f"By chance alone, as many random grains of these sizes would reach {reached}."
    return markup.card(f"{phase.name} ({phase.laue_group})", picture, markup.paragraph(words, style="note"))


def _by_chance(row: Oriented, planes: Sequence[tuple[str, np.ndarray]], figures: PoleFigures) -> float:
    """Highest density of random orientations of the same weights."""
    q = random_orientations(len(row.q), np.random.default_rng(0))
    return max(float(figures.density(q, row.weights, normals).max()) for _, normals in planes)


def _svg(
    planes: Sequence[str], names: Sequence[str], densities: Sequence[Sequence[np.ndarray]], edges: np.ndarray
) -> str:
    width = LEFT + len(planes) * (DISC + GAP) + RIGHT
    height = TOP + len(names) * (DISC + GAP) + 6
    parts = []
    for k, plane in enumerate(planes):
        x = LEFT + k * (DISC + GAP) + DISC / 2
        parts.append(f'<text class="axis" x="{x:.0f}" y="16" text-anchor="middle">{escape(plane)}</text>')
    for j, (name, row) in enumerate(zip(names, densities)):
        y = TOP + j * (DISC + GAP)
        parts.append(f'<text class="axis" x="2" y="{y + DISC / 2 + 4:.0f}">{escape(name)}</text>')
        parts += [
            _disc(density, edges, (LEFT + k * (DISC + GAP), y), j == 0 and k == 0) for k, density in enumerate(row)
        ]
    parts.append(_scale(edges, width - RIGHT + 8, height - 30))
    about = "pole figures, equal area"
    size = f'viewBox="0 0 {width} {height}" style="max-width:{1.15 * width:.0f}px"'
    return f'<svg class="poles" {size} role="img" aria-label="{about}">{"".join(parts)}</svg>'


def _disc(density: np.ndarray, edges: np.ndarray, place: tuple[float, float], axes: bool) -> str:
    """A figure with its outline; the first one says where x and y point."""
    x, y = place
    image = f'<image href="{data_uri(draw_figure(density, edges))}" x="{x}" y="{y}" width="{DISC}" height="{DISC}"/>'
    ring = f'<circle class="ring" cx="{x + DISC / 2}" cy="{y + DISC / 2}" r="{DISC / 2}"/>'
    highest = f"<title>{number(float(density.min()))} to {number(float(density.max()))}</title>"
    names = ""
    if axes:
        names = f'<text x="{x + DISC + 3}" y="{y + DISC / 2 + 4}">x</text>'
        names += f'<text x="{x + DISC / 2}" y="{y + DISC + 11}" text-anchor="middle">y</text>'
    return f"<g>{highest}{image}{ring}{names}</g>"


def _scale(edges: np.ndarray, x: float, tall: float) -> str:
    """The bands from below upwards, with the densities between them."""
    step = tall / (len(edges) - 1)
    parts = []
    for k, (red, green, blue) in enumerate(band_colours(edges)):
        top = TOP + tall - (k + 1) * step
        parts.append(
            f'<rect x="{x}" y="{top:.1f}" width="13" height="{step + 0.3:.1f}" fill="rgb({red},{green},{blue})"/>'
        )
        if np.isfinite(edges[k + 1]) and (step > 12 or (len(edges) - 2 - k) % 2 == 0 or edges[k + 1] == 1):
            parts.append(f'<text x="{x + 18}" y="{top + 4:.1f}">{edges[k + 1]:.4g}</text>')
    return "".join(parts)
