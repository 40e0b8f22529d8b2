"""The sample: view of the box, orthogonal slices, grain sizes, volume errors; and its look beside the scan's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from microgen.microstructure import Microstructure
from microgen.report import charts, markup
from microgen.report.colours import by_grain, ipf_of_grains
from microgen.report.keys import keys_figure
from microgen.report.pictures import Window, draw_box, draw_map
from microgen.report.scan_section import phase_shares, phases_present
from microgen.report.tables import length, number, share

VOXELS_ENOUGH = 400
"""Grains with a target of this many voxels are judged by voxel counts, smaller ones by sub-voxel volume."""


def sample_section(sample: Microstructure, tolerance: float | None, achieved: Mapping[str, Any]) -> str:
    """The section of the page."""
    colours = ipf_of_grains(sample)
    pictures = [_slices(sample, colours)] if sample.grid.ndim == 3 else [_plane(sample, colours)]
    pictures.append(keys_figure([sample.phases[k] for k in phases_present(sample)]))
    cards = [_sizes(sample), _errors(sample, tolerance, achieved)]
    return markup.section("The sample", markup.facts(sample_facts(sample)), *pictures, markup.row(cards, least=320))


def sample_facts(sample: Microstructure) -> list[tuple[str, str]]:
    """What was made, as names and values for a reader."""
    grid = sample.grid
    assert sample.grains is not None
    diameters = _diameters(sample.grains.volume, grid.ndim)
    steps = dict.fromkeys(length(h) for h in grid.spacing)
    axes = "".join(name for name, repeats in zip("xyz", grid.periodic) if repeats)
    kind = "voxels" if grid.ndim == 3 else "pixels"
    return [
        ("grains", f"{len(sample.grains)}, mean diameter {length(float(diameters.mean()))}"),
        ("grid", f"{' × '.join(map(str, grid.shape))} {kind} of {' × '.join(steps)}"),
        ("box", f"{' × '.join(length(side) for side in grid.lengths)}, {_repeats(axes)}"),
        ("phases", "; ".join(phase_shares(sample)) or "none"),
    ]


def box_view(sample: Microstructure) -> str:
    """The 3-D picture with the lengths of its edges."""
    pixels, ends = draw_box(sample, ipf_of_grains(sample))
    labels = [(f"{name} {length(side)}", ends[name]) for name, side in zip("xyz", sample.grid.lengths)]
    return markup.box_figure(pixels, labels, caption="The sample: IPF colours along z (the map normal, into the depth)")


def side_by_side(segmented: Microstructure, sample: Microstructure) -> str:
    """A piece of the scan and a section of the sample of equal size, at the same scale."""
    there, here = Window.whole(segmented.grid), Window.whole(plane(sample).grid)
    width, height = min(there.width, here.width), min(there.height, here.height)
    figures = []
    for ms, caption in ((segmented, "Scan, grains after clean-up"), (plane(sample), "Sample, section across z")):
        window = Window.fullest(ms, width, height)
        pixels = draw_map(ms, by_grain(ms, ipf_of_grains(ms)), window=window, pixels=560)
        figures.append(markup.map_figure(pixels, width, caption=f"{caption} (IPF, mean orientation of each grain)"))
    return markup.row(figures, least=280)


def plane(sample: Microstructure) -> Microstructure:
    """The section halfway down, or the sample itself when it is a plane."""
    return sample.section(2, sample.grid.shape[-1] // 2) if sample.grid.ndim == 3 else sample


def _slices(sample: Microstructure, colours: np.ndarray) -> str:
    lengths, figures = sample.grid.lengths, []
    for axis in (2, 1, 0):
        index = sample.grid.shape[axis] // 2
        right, down = (k for k in range(3) if k != axis)
        cut = sample.section(axis, index)
        pixels = draw_map(cut, by_grain(cut, colours), pixels=420)
        place = length((index + 0.5) * sample.grid.spacing[axis])
        caption = f"{'xyz'[axis]} = {place}; {'xyz'[right]} to the right, {'xyz'[down]} down"
        relative = lengths[right] / max(lengths[:2])
        figures.append(markup.map_figure(pixels, lengths[right], caption=caption, relative=relative))
    return markup.row(figures, least=230)


def _plane(sample: Microstructure, colours: np.ndarray) -> str:
    caption = "The sample: IPF colours along the normal; x to the right, y down"
    pixels = draw_map(sample, by_grain(sample, colours))
    return f'<div class="alone">{markup.map_figure(pixels, sample.grid.lengths[0], caption=caption)}</div>'


def _sizes(sample: Microstructure) -> str:
    assert sample.grains is not None
    ndim, table = sample.grid.ndim, sample.grains
    series = [charts.Series("made", _diameters(table.volume, ndim), "achieved")]
    names = [("made", "achieved")]
    if table.volume_target is not None:
        series.insert(0, charts.Series("prescribed", _diameters(table.volume_target, ndim), "target"))
        names.insert(0, ("prescribed", "target"))
    ball = "sphere" if ndim == 3 else "circle"
    chart = charts.histogram(series, label=f"equivalent {ball} diameter, µm")
    made = series[-1].values
    spread = f"mean {length(float(made.mean()))}, coefficient of variation {number(made.std() / made.mean())}"
    title = "Grain sizes in 3-D" if ndim == 3 else "Grain sizes"
    return markup.card(title, markup.legend(names), chart, markup.paragraph(spread, style="note"))


def _errors(sample: Microstructure, tolerance: float | None, achieved: Mapping[str, Any]) -> str:
    assert sample.grains is not None
    table = sample.grains
    if table.volume_target is None:
        return ""
    error = 100 * (table.volume / np.maximum(table.volume_target, 1e-300) - 1)
    large = table.volume_target >= VOXELS_ENOUGH * sample.grid.cell_measure * (1 - 1e-9)
    limit = 100 * tolerance if tolerance else 0.0
    reach = max(1.6 * limit, float(np.quantile(np.abs(error), 0.98)), 1e-6)
    shown = [(f"{VOXELS_ENOUGH} voxels or more", large, "target"), ("smaller", ~large, "achieved")]
    shown = [(f"{name}: {int(pick.sum())} grains", pick, style) for name, pick, style in shown if pick.any()]
    series = [charts.Series(name, error[pick], style, total=len(error)) for name, pick, style in shown]
    marks = [(-limit, ""), (limit, "")] if limit else []
    chart = charts.histogram(series, label="volume against prescribed, %", limits=(-reach, reach), bins=31, marks=marks)
    legend = markup.legend([(name, style) for name, _, style in shown])
    return markup.card("Volume errors", legend, chart, markup.paragraph(_rule(tolerance, achieved), style="note"))


def _rule(tolerance: float | None, achieved: Mapping[str, Any]) -> str:
    figures = [
        (f"largest error of grains with {VOXELS_ENOUGH} voxels or more {share(achieved.get('volume_error_max_400'))}"),
        f"largest sub-voxel error {share(achieved.get('subvoxel_error_max'))}",
    ]
    if achieved.get("island_voxels") is not None:
        figures.append(f"{achieved['island_voxels']} voxels of detached islands given to their neighbours")
    dashed = (
        f"Dashed: tolerance {share(tolerance)}, which smaller grains meet in sub-voxel volume. " if tolerance else ""
    )
    return dashed + "; ".join(figures).capitalize() + "."


def _diameters(volume: np.ndarray, ndim: int) -> np.ndarray:
    return np.cbrt(6 * volume / math.pi) if ndim == 3 else np.sqrt(4 * volume / math.pi)


def _repeats(axes: str) -> str:
    return f"repeats along {', '.join(axes)}" if axes else "does not repeat"
