"""Orientations of scan and sample side by side: pole figures, IPF maps along x, y and z, misorientations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from microgen.descriptors.boundaries import boundary_misorientation
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.mackenzie import mackenzie_density
from microgen.descriptors.texture import mean_orientations
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import misorientation_angle, random_orientations
from microgen.report import charts, markup
from microgen.report.colours import by_grain, ipf_of_grains, ipf_of_points
from microgen.report.keys import keys_figure
from microgen.report.match_section import series_of
from microgen.report.pictures import Window, draw_map
from microgen.report.pole_card import Oriented, pole_card
from microgen.report.pole_figures import PoleFigures

MOST_PHASES = 4
"""Phases with pole figures and misorientations of their own, the most frequent ones."""
RANDOM_PAIRS = 60_000
"""Random pairs behind the line of groups for which no formula is at hand."""
DIRECTIONS = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def orientation_section(
    sample: Microstructure, scan: Microstructure | None, segmented: Microstructure | None, statistics: Mapping[str, Any]
) -> str:
    """The section of the page; `segmented` and `scan` (as measured) are left out for a sample without a scan."""
    measured = segmented if segmented is not None and segmented.grains is not None else None
    shown = _frequent(sample)
    figures = PoleFigures()
    width = math.degrees(figures.half_width)
    words = (
        "Pole figures in multiples of random: equal-area projection of the half sphere below the surface (z > 0), x to "
        f"the right and y down as in the maps; kernel estimate with a half width of {width:.0f}°, grains weighted by "
        "their area or volume."
    )
    poles = [pole_card(sample.phases[k], rows, figures) for k in shown if (rows := _oriented(sample, measured, k))]
    angles = [_misorientations(sample, measured, k, statistics) for k in shown]
    angles = [card for card in angles if card]
    # Of one or two phases, both kinds of cards fill rows of two.
    rows = [[*poles, *angles]] if len(poles) <= 2 else [poles, angles]
    parts = [markup.paragraph(words), *(markup.row(cards, least=440) for cards in rows if cards)]
    if scan is not None and measured is not None:
        parts.append(_maps(sample, scan, measured))
    return markup.section("Orientations", *parts) if poles else ""


def _frequent(sample: Microstructure) -> list[int]:
    counts = np.bincount(sample.phase_id[sample.phase_id >= 0], minlength=len(sample.phases))
    return [int(k) for k in np.argsort(-counts, kind="stable")[:MOST_PHASES] if counts[k] and k < len(sample.phases)]


def _counterpart(measured: Microstructure | None, phase: Phase) -> int | None:
    """The phase of the scan with the same name and symmetry."""
    known = [] if measured is None else measured.phases
    same = [k for k, other in enumerate(known) if (other.name, other.laue_group) == (phase.name, phase.laue_group)]
    return same[0] if same else None


def _oriented(sample: Microstructure, measured: Microstructure | None, phase: int) -> list[Oriented]:
    rows, theirs = [], _counterpart(measured, sample.phases[phase])
    if measured is not None and theirs is not None:
        rows.append(Oriented("Scan", *mean_orientations(measured, theirs)))
    rows.append(Oriented("Sample", *mean_orientations(sample, phase)))
    return [row for row in rows if len(row.q)]


def _misorientations(
    sample: Microstructure, measured: Microstructure | None, phase: int, statistics: Mapping[str, Any]
) -> str:
    """Card of the disorientation angles across boundaries within a phase, against those of random grains."""
    each = sample.phases[phase]
    statistic = statistics.get(f"boundary_misorientation.{each.name}")
    if statistic is None and len(_frequent(sample)) == 1:
        statistic = statistics.get("boundary_misorientation")
    series = (series_of(statistic) if statistic is not None else None) or _measured_here(sample, measured, phase)
    if not series:
        return ""
    formula = each.laue_group == "m-3m"
    chart = charts.histogram(
        series,
        label="disorientation angle, degrees",
        limits=(0.0, _largest(each.laue_group)),
        bins=30,
        lines=[(*random_density(each.laue_group), "random")],
    )
    named = [(s.name, s.style) for s in series]
    legend = markup.legend([*named, ("random grains (Mackenzie)" if formula else "random grains", "random")])
    note = "Between mean orientations of touching grains of this phase, by length of their boundary."
    if not formula:
        note += f" The line was drawn from {RANDOM_PAIRS} random pairs."
    return markup.card(f"Misorientations, {each.name}", legend, chart, markup.paragraph(note, style="note"))


def _measured_here(sample: Microstructure, measured: Microstructure | None, phase: int) -> list[charts.Series]:
    """Angles of the maps and the volume themselves, where no comparison of sections is at hand."""
    sides: list[tuple[str, str, Distribution]] = []
    theirs = _counterpart(measured, sample.phases[phase])
    if measured is not None and theirs is not None:
        sides.append(("scan", "target", boundary_misorientation(measured, phase_id=theirs)))
    sides.append(("sample", "achieved", boundary_misorientation(sample, phase_id=phase)))
    return [charts.Series(n, np.degrees(d.values), style, d.share) for n, style, d in sides if len(d) > 1]


def random_density(laue_group: str) -> tuple[np.ndarray, np.ndarray]:
    """Disorientation angles (degrees) and their density (1/degree) between random grains: Mackenzie's, or drawn."""
    if laue_group == "m-3m":
        angle = np.linspace(0, 63, 127)
        return angle, np.radians(mackenzie_density(np.radians(angle)))
    counts, edges = np.histogram(_random_angles(laue_group), 45)
    return (edges[1:] + edges[:-1]) / 2, counts / counts.sum() / np.diff(edges)


def _random_angles(laue_group: str) -> np.ndarray:
    q = random_orientations(2 * RANDOM_PAIRS, np.random.default_rng(0))
    return np.degrees(misorientation_angle(q[:RANDOM_PAIRS], q[RANDOM_PAIRS:], laue_group))


def _largest(laue_group: str) -> float:
    return 65.0 if laue_group == "m-3m" else float(np.ceil(_random_angles(laue_group).max() / 5) * 5)


def _maps(sample: Microstructure, scan: Microstructure, measured: Microstructure) -> str:
    """Pieces of equal size along three directions: the scan as measured, and a section of the sample."""
    cut = sample.section(2, sample.grid.shape[-1] // 2) if sample.grid.ndim == 3 else sample
    there, here = Window.whole(measured.grid), Window.whole(cut.grid)
    width, height = min(there.width, here.width), min(there.height, here.height)
    drawn = replace(scan, grain_id=measured.grain_id)
    figures = []
    for ms, name in ((drawn, "Scan"), (cut, "Sample")):
        window = Window.fullest(ms, width, height)
        for axis, direction in DIRECTIONS.items():
            colours = _colours(ms, direction)
            pixels = draw_map(ms, colours, window=window, pixels=340)
            figures.append(markup.map_figure(pixels, window.width, caption=f"{name}, IPF {axis}"))
    words = "IPF maps: the crystal direction along the x, y and z of the sample; pieces of one size, at one scale."
    phases = [sample.phases[k] for k in _frequent(sample)]
    keys = keys_figure(phases, "Key of the colours, for the sample direction that each map names:")
    return markup.paragraph(words) + markup.columns(figures, 3) + keys


def _colours(ms: Microstructure, direction: tuple[float, float, float]) -> np.ndarray:
    if ms.orientation is not None:
        return ipf_of_points(ms, direction=direction)
    return by_grain(ms, ipf_of_grains(ms, direction=direction))
