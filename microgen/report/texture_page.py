"""The page about a level set: the solid, slices, how the energy fell, thicknesses and curvatures, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.microstructure import Microstructure
from microgen.provenance import Provenance
from microgen.report import charts, markup
from microgen.report.match_section import BLOCKS, fit_section, match_section
from microgen.report.rendering import draw_solid
from microgen.report.tables import Table, label, length, number, numbers_table, per_mm, share

SOLID, VOID = np.array([52, 84, 120.0]), np.array([236, 239, 243.0])


def texture_body(
    sample: Microstructure,
    statistics: Mapping[str, Any],
    made: Provenance,
    *,
    comparison: Mapping[str, Any] | None = None,
    volume: Microstructure | None = None,
    members: Sequence[Mapping[str, Any]] = (),
    warnings: Sequence[str] = (),
    title: str,
) -> str:
    """Header and sections of the page, without provenance; `comparison` is with the `volume` that was fitted."""
    parts = [_head(sample, statistics, made, warnings=warnings, title=title)]
    if sample.grid.ndim == 3:
        parts.append(markup.section("At a glance", _view(sample), _slices(sample)))
    else:
        parts.append(markup.section("At a glance", _plane(sample)))
    if volume is not None:
        parts.append(markup.section("Beside the scan", _pairs(volume, sample)))
    if comparison:
        parts.append(match_section(comparison, BLOCKS, names=("volume", "sample")))
    if "fit" in made.achieved:
        parts.append(fit_section(made.achieved["fit"]))
    cards = [_thickness(statistics, sample.grid.ndim), _curvatures(statistics), _trace(made)]
    table = markup.table(numbers_table(statistics, sample.grid.ndim))
    parts.append(markup.section("What it is like", _row(cards), "<br>", table))
    if "print" in made.achieved:
        parts.append(markup.section("The solid to print", markup.facts(_printed(made.achieved["print"]))))
    if members:
        parts.append(markup.section("The ensemble", markup.table(texture_summary(members))))
    return "".join(parts)


def texture_summary(members: Sequence[Mapping[str, Any]]) -> Table:
    """One row a member, by the names its summary row has; then mean ± standard deviation."""
    names = [n for n in members[0] if n not in ("member", "seed", "status", "file", "outputs", "statistics")]
    figures = [[_float(m.get(n)) for n in names] for m in members]
    rows = [(*(str(m[k]) for k in ("member", "seed", "status")), *map(number, f)) for m, f in zip(members, figures)]
    if len(members) > 1:
        columns = np.array(figures)
        spread = [f"{number(c.mean())} ± {number(c.std(ddof=1))}" for c in columns.T]
        rows.append(("mean ± sd", "", "", *spread))
    return Table(("member", "seed", "status", *map(label, names)), tuple(rows))


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _head(
    sample: Microstructure, statistics: Mapping[str, Any], made: Provenance, *, warnings: Sequence[str], title: str
) -> str:
    grid = sample.grid
    steps = " × ".join(dict.fromkeys(length(h) for h in grid.spacing))
    kind = "voxels" if grid.ndim == 3 else "pixels"
    sides = " × ".join(length(side) for side in grid.lengths)
    lead = f"{' × '.join(map(str, grid.shape))} {kind} of {steps} ({sides}), seed {made.seed}"
    full = sample.phase_id >= 0
    solid = float(full.mean() if sample.measured is None else full[sample.measured].mean())
    chips: list[tuple[str, bool | None]] = [(f"solid {share(solid)}", None)]
    chips += [(text, None) for text in _shaped(made.configuration)]
    if made.achieved.get("status"):
        chips.append((f"flow {str(made.achieved['status']).replace('_', ' ')}", made.achieved["status"] == "converged"))
    if made.achieved.get("status") == "capped":
        chips.append(("the texture was still moving at the last step", None))
    notes = "".join(markup.paragraph(text[:1].upper() + text[1:], style="warning") for text in warnings)
    return (
        f"<header><h1>{escape(title)}</h1>{markup.paragraph(lead, style='lead')}{markup.chips(chips)}{notes}</header>"
    )


def _shaped(configuration: Mapping[str, Any]) -> list[str]:
    """What is said of a texture that changes from place to place, or fills a shape only."""
    graded, mask = configuration.get("graded"), configuration.get("mask")
    texts = []
    if graded:
        texts.append("graded along " + " and ".join("xyz"[axis] for axis in graded["axes"]))
    if mask:
        kind = mask.get("kind") or ""
        name = PurePath(str(mask["file"])).name if "file" in mask else ""
        texts.append(f"inside {name or (f'a {kind}' if kind else 'a mask')}; the share is that of the mask")
    return texts


def _view(sample: Microstructure) -> str:
    pixels, ends = draw_solid(sample)
    labels = [(f"{name} {length(side)}", ends[name]) for name, side in zip("xyz", sample.grid.lengths)]
    caption = "The solid, cut at the faces of the box where it is red; z points down"
    return markup.box_figure(pixels, labels, caption=caption)


def _pairs(volume: Microstructure, sample: Microstructure) -> str:
    """Slices of both in the middle, at one scale."""
    across, figures = min(*volume.grid.lengths[:2], *sample.grid.lengths[:2]), []
    for ms, name in ((volume, "Scan"), (sample, "Sample")):
        spacing = ms.grid.spacing
        deep = ms.grid.shape[-1]
        counts = [max(1, min(n, round(across / h))) for n, h in zip(ms.grid.shape[:2], spacing)]
        cut = ms.crop((0, 0, 0), (*counts, deep)).section(2, deep // 2)
        pixels = draw_plane(cut, 420)
        figures.append(markup.map_figure(pixels, cut.grid.lengths[0], caption=f"{name}: solid dark", relative=1.0))
    return markup.row(figures, least=300)


def _slices(sample: Microstructure) -> str:
    lengths, figures = sample.grid.lengths, []
    for axis in (2, 1, 0):
        index = sample.grid.shape[axis] // 2
        right, down = (k for k in range(3) if k != axis)
        cut = sample.section(axis, index)
        place = length((index + 0.5) * sample.grid.spacing[axis])
        caption = f"{'xyz'[axis]} = {place}; {'xyz'[right]} to the right, {'xyz'[down]} down"
        relative = lengths[right] / max(lengths[:2])
        pixels = draw_plane(cut, 420)
        figures.append(markup.map_figure(pixels, lengths[right], caption=caption, relative=relative))
    return markup.row(figures, least=230)


def _plane(sample: Microstructure) -> str:
    pixels = draw_plane(sample, 720)
    outside = "; blank outside the mask" if sample.measured is not None else ""
    figure = markup.map_figure(pixels, sample.grid.lengths[0], caption=f"Solid dark{outside}; x to the right, y down")
    return f'<div class="alone">{figure}</div>'


def draw_plane(ms: Microstructure, most: int) -> np.ndarray:
    """uint8 RGBA [y, x, 4], about `most` pixels wide or high: solid and void, their border as sharp as the pixels.

    Transparent outside the mask, where there is one.
    """
    from scipy.ndimage import gaussian_filter, zoom

    u = np.asarray(ms.level_set if ms.level_set is not None else np.where(ms.phase_id >= 0, 1.0, -1.0), np.float32)
    sides = np.array(ms.grid.lengths) * most / max(ms.grid.lengths)
    factors = tuple(np.maximum(np.round(sides), 2) / u.shape)
    fine = np.asarray(zoom(u, factors, order=1, mode="nearest", grid_mode=True))
    slope = np.hypot(np.gradient(fine, axis=0), np.gradient(fine, axis=1))
    part = np.clip(0.5 + fine / np.maximum(slope, 1e-6), 0, 1).T[..., None]
    there = np.full_like(part, 255)
    if ms.measured is not None:
        blurred = gaussian_filter(ms.measured.astype(np.float32), 1.0, mode="nearest")
        inside = np.asarray(zoom(blurred, factors, order=1, mode="nearest", grid_mode=True))
        there = np.where(inside.T[..., None] >= 0.5, 255, 0)
    return np.concatenate([VOID + part * (SOLID - VOID), there], axis=-1).astype(np.uint8)


def _row(cards: Sequence[str]) -> str:
    return markup.row([card for card in cards if card], least=320)


def _thickness(statistics: Mapping[str, Any], ndim: int) -> str:
    shown = [(name, style) for name, style in (("thickness", "target"), ("separation", "achieved"))]
    series = [
        charts.Series(name, statistics[name].values, style, statistics[name].weights)
        for name, style in shown
        if isinstance(statistics.get(name), Distribution) and len(statistics[name])
    ]
    if not series:
        return ""
    ball, volume = ("ball", "volume") if ndim == 3 else ("disc", "area")
    chart = charts.histogram(series, label=f"diameter of the largest {ball}, µm", bins=28)
    names = {"thickness": "solid (thickness)", "separation": "void (separation)"}
    words = f"By {volume}: each point counts with the largest {ball} in its phase that covers it."
    legend = markup.legend([(names[s.name], s.style) for s in series])
    return markup.card("Thickness", legend, chart, markup.paragraph(words, style="note"))


def _curvatures(statistics: Mapping[str, Any]) -> str:
    first, second = statistics.get("kappa_1"), statistics.get("kappa_2")
    if not isinstance(first, Distribution) or not isinstance(second, Distribution) or len(first) != len(second):
        return ""
    if not len(first):
        return ""
    weights = first.share
    factor, unit = per_mm("1/µm", float(np.abs(first.mean)))
    chart = charts.density(
        factor * first.values, factor * second.values, weights, label=f"κ₁, {unit}", vertical=f"κ₂, {unit}"
    )
    words = "By area; positive where the solid is convex. Balls lie on the rising line, saddles along the falling one, "
    words += "tubes on the level one."
    return markup.card("Curvature diagram", chart, markup.paragraph(words, style="note"))


def _trace(made: Provenance) -> str:
    trace = np.asarray(made.achieved.get("energy_trace") or [], float)
    trace = trace[np.isfinite(trace)] if trace.ndim == 1 else trace[:0]
    if len(trace) < 3:
        return ""
    total = made.achieved.get("iterations") or len(trace)
    steps = np.linspace(0, float(total), len(trace))
    # Noise costs a thousand times what a texture does: the curve begins where it would fill the picture.
    second = trace[len(trace) // 2 :]
    tall = second.min() + 6 * max(float(np.ptp(second)), 0.02 * abs(second[-1]))
    late = min(int(np.flatnonzero(trace > tall).max(initial=-1)) + 1, len(trace) // 2)
    chart = charts.line(steps[late:], trace[late:], label="iteration", vertical="energy")
    words = f"From iteration {steps[late]:.0f}; {number(trace[0])} at the start, {number(trace[-1])} at the end."
    return markup.card("Energy", chart, markup.paragraph(words, style="note"))


def _printed(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    sides = " × ".join(number(side) for side in report["bbox_mm"])
    return [
        ("size", f"{sides} mm, {number(report['volume_mm3'])} mm³, {number(report['area_mm2'])} mm²"),
        ("surface", f"{report['triangles']} triangles, watertight"),
        ("parts", f"{report['parts']}, {report['parts_removed']} floating ones left out"),
        ("thinnest wall", f"{number(_float(report['min_wall_mm']))} mm"),
        ("closed cavities", str(report["trapped_voids"])),
    ]
