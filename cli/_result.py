"""What a run tells at the end: the closing table, the JSON object, the provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from microgen import Grid, Microstructure, Provenance, TiledMicrostructure
from microgen.provenance import tool_version

from ._json import dumps
from ._progress import Reporter

FIGURES = (
    "grains",
    "volume_error_max",
    "volume_error_mean",
    "volume_error_max_400",
    "subvoxel_error_max",
    "grains_below_400",
    "island_voxels",
)
"""Figures of a polycrystal, as its provenance and the JSON output name them."""


def achieved(sample: Microstructure | TiledMicrostructure) -> dict[str, Any]:
    """The figures of a sample."""
    return dict(sample.provenance.achieved) if sample.provenance else {}


def grid_object(grid: Grid) -> dict[str, Any]:
    """The `grid` object of the JSON output."""
    return {"shape": list(grid.shape), "spacing_um": list(grid.spacing), "periodic": list(grid.periodic)}


def grid_line(grid: Grid, grains: int) -> str:
    """The same for a reader."""
    voxels = " x ".join(map(str, grid.shape))
    steps = grid.spacing if len(set(grid.spacing)) > 1 else grid.spacing[:1]
    axes = "".join(axis for axis, wraps in zip("xyz", grid.periodic) if wraps)
    box = " x ".join(f"{length:.4g}" for length in grid.lengths)
    wraps = f"periodic along {axes}" if axes else "not periodic"
    size = " x ".join(f"{step:.4g}" for step in steps)
    return f"sample    {grains} grains on {voxels} voxels of {size} µm ({box} µm), {wraps}"


def volume_line(figures: Mapping[str, Any]) -> str:
    """How well the grains have their volumes."""
    large, small = figures.get("volume_error_max_400"), figures.get("subvoxel_error_max")
    below = figures.get("grains_below_400", 0)
    parts = [] if large is None else [f"worst grain of 400 voxels or more off by {large:.2%} in voxels"]
    exact = figures.get("exact_error_max")
    if exact is not None:
        parts = [f"worst cell off by {exact:.1e}", *parts]
    elif below and small is not None:
        parts.append(f"worst of the {below} smaller ones by {small:.2%} in sub-voxel volume")
    empty = f"; {figures['void']:.2%} void" if figures.get("void") else ""
    return "volumes   " + "; ".join(parts) + f"; {figures.get('island_voxels', 0)} island voxels repaired{empty}"


def statistics_object(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The `statistics` object of the JSON output."""
    names = ("target", "achieved", "distance", "noise_floor", "noise_floor_p95", "in_objective", "unit")
    return {key: {name: getattr(s, name) for name in names} for key, s in statistics.items()}


def closing(
    statistics: Mapping[str, Any],
    reporter: Reporter,
    *,
    measured: str = "scan",
    what: str = "two scans of this size show between them",
) -> None:
    """The closing table: target (what was `measured`) against achieved, with what the target itself can resolve."""
    from microgen.report import statistics_table

    table = statistics_table(statistics, (measured, "sample"))
    reporter.say()
    reporter.table(table.columns, table.rows)
    reporter.say(f"inside: within the p95 of what {what}; held out: not fitted")
    reporter.say()


def sample_fields(sample: Microstructure) -> dict[str, Any]:
    """Grid and figures of one sample, as the JSON output has them."""
    figures = achieved(sample)
    assert isinstance(sample.grid, Grid)
    return {"grid": grid_object(sample.grid), **{name: figures.get(name) for name in FIGURES}, **unusual(figures)}


def unusual(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures that only some samples have."""
    return {name: figures[name] for name in ("exact_error_max", "void") if name in figures}


def told_before(made: Provenance) -> dict[str, Any]:
    """Grid, figures, scan and statistics of a finished sample, from its provenance."""
    grid = made.configuration.get("grid", {})
    shown = {"shape": grid.get("shape"), "spacing_um": grid.get("spacing"), "periodic": grid.get("periodic")}
    figures = {name: made.achieved.get(name) for name in FIGURES}
    return {
        "grid": shown,
        **figures,
        **unusual(made.achieved),
        **{k: made.achieved[k] for k in ("scan", "scans", "statistics", "fit") if k in made.achieved},
    }


def result_object(command: str, reporter: Reporter, outputs: Iterable[Path], **more: Any) -> dict[str, Any]:
    """The JSON object all generators print; `more` are its other fields."""
    seconds = {**reporter.seconds, "total": reporter.total}
    return {"command": command, "version": tool_version(), **more, "seconds": seconds, "outputs": list(outputs)}


def finish(result: Mapping[str, Any], *, json: bool) -> None:
    """stdout: one JSON object, or the paths of the results."""
    print(dumps(result) if json else "\n".join(map(str, result["outputs"])))
