"""What was understood of the scan: figures, inverse-pole-figure map, grain map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from microgen.descriptors.grains import interior_grains
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure
from microgen.report import markup
from microgen.report.colours import by_grain, grain_colours, ipf_of_points, phase_colour
from microgen.report.keys import keys_figure
from microgen.report.pictures import Window, draw_map
from microgen.report.tables import length, share


def scan_section(scan: Microstructure, segmented: Microstructure | None, configuration: Mapping[str, Any]) -> str:
    """The section of the page."""
    parts = [markup.facts(scan_facts(scan, segmented, configuration))]
    parts.append(markup.row(_maps(scan, segmented), least=320))
    parts.append(keys_figure([scan.phases[k] for k in phases_present(scan)]))
    return markup.section("The scan", *parts)


def scan_facts(
    scan: Microstructure, segmented: Microstructure | None, configuration: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """What was understood, as names and values for a reader."""
    grid = scan.grid
    present = points_present(scan)
    indexed = int(np.count_nonzero(scan.phase_id >= 0))
    steps = dict.fromkeys(length(h) for h in ((grid.step,) if isinstance(grid, HexGrid) else grid.spacing))
    items = [
        ("grid", f"{'hexagonal' if isinstance(grid, HexGrid) else 'square'}, step {' × '.join(steps)}"),
        ("map", f"{' × '.join(length(side) for side in grid.lengths)}, {grid.shape[0]} × {grid.shape[1]} points"),
        ("points", f"{present}, {share(indexed / max(present, 1))} indexed{_missing(scan)}"),
        ("phases", "; ".join(phase_shares(scan)) or "none"),
    ]
    if segmented is not None and segmented.grains is not None:
        inside = int(np.count_nonzero(interior_grains(segmented)))
        items.append(("grains", f"{len(segmented.grains)}, {inside} of them do not touch the map's border"))
    if "threshold" in configuration and "min_pixels" in configuration:
        rule = f"misorientation above {configuration['threshold']:g}°, at least {configuration['min_pixels']} points"
        items.append(("clean-up", f"{rule}; smaller and not-indexed regions go to the nearest grain"))
    return [*_file(scan), *items, *(("note", note) for note in scan.notes)]


def points_present(scan: Microstructure) -> int:
    """Points that the file holds."""
    there = _there(scan.grid)
    return int(np.count_nonzero(there if scan.measured is None else there & scan.measured))


def _there(grid: Grid | HexGrid) -> np.ndarray:
    return grid.exists() if isinstance(grid, HexGrid) else np.ones(grid.shape, bool)


def phases_present(ms: Microstructure) -> list[int]:
    """Phases that occur, by index."""
    return [int(k) for k in np.unique(ms.phase_id) if 0 <= k < len(ms.phases)]


def _file(scan: Microstructure) -> list[tuple[str, str]]:
    names = [PurePath(path).name for path in scan.provenance.inputs] if scan.provenance else []
    return [("file", ", ".join(names))] if names else []


def _missing(scan: Microstructure) -> str:
    missing = int(np.count_nonzero(_there(scan.grid))) - points_present(scan)
    return f", {missing} missing in the file" if missing > 0 else ""


def phase_shares(ms: Microstructure) -> list[str]:
    """Name, Laue group and share of the indexed points of each phase that occurs."""
    counts = np.bincount(ms.phase_id[ms.phase_id >= 0], minlength=len(ms.phases))
    present = [(ms.phases[k], counts[k] / counts.sum()) for k in phases_present(ms)]
    return [f"{phase.name} ({phase.laue_group}) {share(fraction)}" for phase, fraction in present]


def _maps(scan: Microstructure, segmented: Microstructure | None) -> list[str]:
    width = Window.whole(scan.grid).width
    gaps = ["grey: not indexed"] if (scan.phase_id < 0).any() else []
    gaps += ["blank: not in the file"] if _missing(scan) else []
    caption = "; ".join(["Orientations as measured (IPF, map normal)", *gaps])
    maps = [markup.map_figure(draw_map(scan, ipf_of_points(scan)), width, caption=caption)]
    if segmented is not None and segmented.grains is not None:
        present = phases_present(scan)
        colours = by_grain(segmented, grain_colours(segmented.grains.phase_id, len(present)))
        caption = "Grains after clean-up" + (", one hue a phase" if len(present) > 1 else "")
        figure = markup.map_figure(draw_map(segmented, colours), width, caption=caption)
        names = [(scan.phases[k].name, phase_colour(k)) for k in present]
        maps.append(f"<div>{figure}{markup.legend(names) if len(present) > 1 else ''}</div>")
    return maps
