"""`reconstruct`: a scan, or a volume of grain numbers, as the power diagram whose cells are its grains."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microgen.core import PowerDiagram
from microgen.core.label_fit import Fitted, fit_labels, labels_on
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.overlap import boundary_distances, overlaps, pieces
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure
from microgen.provenance import Provenance

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The fitted diagram, and how far it is from the map."""

    diagram: PowerDiagram
    """Cell k is grain k + 1 of `grains`; its box begins at the corner of the map."""
    source: Microstructure
    """The map that was fitted: grain_id 1..n without gaps, 0 where nothing was indexed."""
    grains: Grains
    """With sites, metrics and weights; `volume` is that of the map."""
    statistics: dict[str, Any]
    """grains, points, masked; differing (share of points) and differing_moments (where the fit began); iou_mean,
    iou_median, iou_min; boundary_distance_mean and _p95 (µm); volume_error_mean and _max; numbers, compression
    (points for each number); split_grains, split_cells (in several pieces); seconds."""
    notes: tuple[str, ...] = ()

    def labels(self, grid: Grid | HexGrid) -> np.ndarray:
        """int32 [grid.shape]: the cell 1..n of each point of any grid; its origin is the corner of the map."""
        return labels_on(self.diagram, grid)

    def render(self, grid: Grid | HexGrid | None = None, *, fill: bool = False) -> Microstructure:
        """The diagram as a sample on any grid (default: that of the map); grids of three axes extrude a plane.

        Points whose nearest point of the map has no grain have none either, unless `fill`.
        """
        own = self.source.grid
        grid = own if grid is None else grid
        known = np.ones(grid.shape, bool)
        flat, deep = (grid, 0) if grid.ndim == own.ndim else (_floor(grid, own), grid.shape[-1])
        labels = self.labels(flat)
        if not fill:
            assert self.source.grain_id is not None
            known = _nearest(own, self.source.grain_id > 0, flat)
            labels = np.where(known, labels, 0).astype(np.int32)
        if deep:
            labels = np.ascontiguousarray(np.repeat(labels[:, :, None], deep, axis=2))
        grains = self.extruded(grid) if deep else self.grains
        counts = np.bincount(labels.ravel(), minlength=len(grains) + 1)[1:]
        phase = np.append(grains.phase_id, -1).astype(np.int16)[labels - 1]
        assert grains.sites is not None
        # The diagram begins at the corner of the map; tables of samples have sites where the grid has its points.
        grains = replace(grains, volume=counts * grid.cell_measure, sites=grains.sites + np.asarray(grid.origin))
        figures = {**self.statistics, "grains": len(grains)}
        made = Provenance("reconstruct", {}, achieved=figures)
        return Microstructure(grid, phase, self.source.phases, labels, grains=grains, provenance=made)

    def extruded(self, grid: Grid | HexGrid) -> Grains:
        """The grains of a plane as columns through a volume.

        All sites lie at half height, and all metrics get the same a_zz: that adds one function to all costs, so no
        boundary moves.
        """
        plane, n = self.grains, len(self.grains)
        assert plane.sites is not None
        assert plane.metrics is not None
        metrics = np.zeros((n, 3, 3))
        metrics[:, :2, :2] = plane.metrics
        metrics[:, 2, 2] = np.median(np.trace(plane.metrics, axis1=1, axis2=2)) / 2
        sites = np.column_stack([plane.sites, np.full(n, grid.lengths[-1] / 2)])
        return replace(plane, sites=sites, metrics=metrics, volume=plane.volume * grid.lengths[-1])


def reconstruct(ms: Microstructure, *, progress: Progress = lambda share, text: None) -> Reconstruction:
    """Fit an anisotropic power diagram to the grains of a map, point by point: square, hexagonal, or a volume.

    `ms` is a scan after `segment_grains`, or a volume of grain numbers. Points with the number 0 take no part.
    `segment_grains` gives points that were not indexed to the nearest grain; set their grain_id to 0 where nothing is
    to be invented, as the command does. A grain in several pieces is one cell all the same, which `notes` say. How it
    is fitted: `microgen.core.label_fit`.

    Raises InvalidParameter for a map without grain numbers and NoGrains for one in which all are 0.
    """
    began = time.perf_counter()
    source, numbers = _numbered(ms)
    assert source.grain_id is not None
    fitted = fit_labels(source.grid, source.grain_id, progress=progress)
    grains = _grains(ms, source, numbers, fitted.diagram)
    statistics = measure(source, fitted)
    statistics["seconds"] = time.perf_counter() - began
    return Reconstruction(fitted.diagram, source, grains, statistics, _notes(statistics))


def measure(source: Microstructure, fitted: Fitted) -> dict[str, Any]:
    """The statistics of `Reconstruction`, but for the time."""
    labels, seen, grid = source.grain_id, fitted.labels, source.grid
    assert labels is not None
    inside, n, d = labels > 0, len(fitted.diagram), grid.ndim
    shown = np.where(inside, seen, 0)
    iou, away = overlaps(labels, shown), boundary_distances(grid, labels, shown)
    counts = [np.bincount(m.ravel(), minlength=n + 1)[1:] for m in (labels, shown)]
    error = np.abs(counts[1] / counts[0] - 1)
    numbers = n * (1 + d + d * (d + 1) // 2)
    exists = grid.exists() if isinstance(grid, HexGrid) else np.ones(grid.shape, bool)
    return {
        "grains": n,
        "points": int(inside.sum()),
        "masked": int((exists & ~inside).sum()),
        "differing": float(np.mean(labels[inside] != seen[inside])),
        "differing_moments": float(np.mean(labels[inside] != fitted.moments_labels[inside])),
        "iou_mean": float(iou.mean()),
        "iou_median": float(np.median(iou)),
        "iou_min": float(iou.min()),
        "boundary_distance_mean": float(away.mean()) if len(away) else 0.0,
        "boundary_distance_p95": float(np.percentile(away, 95)) if len(away) else 0.0,
        "volume_error_mean": float(error.mean()),
        "volume_error_max": float(error.max()),
        "numbers": numbers,
        "compression": float(inside.sum() / numbers),
        "split_grains": int((pieces(grid, labels) > 1).sum()),
        "split_cells": int((pieces(grid, shown) > 1).sum()),
    }


def _numbered(ms: Microstructure) -> tuple[Microstructure, np.ndarray]:
    """The map with grains 1..n without gaps, and the number that each had."""
    if ms.grain_id is None:
        remedy = "Find the grains of a scan first: microgen.segment_grains(scan)."
        raise InvalidParameter("ms", expected="a map of grain numbers", got="a map without", remedy=remedy)
    numbers = np.unique(ms.grain_id)
    numbers = numbers[numbers > 0]
    if not len(numbers):
        raise NoGrains("The map holds no grain: all of its points have the number 0.")
    inside = ms.grain_id > 0
    labels = np.where(inside, np.searchsorted(numbers, ms.grain_id) + 1, 0).astype(np.int32)
    return replace(ms, grain_id=labels, grains=None), numbers


def _grains(ms: Microstructure, source: Microstructure, numbers: np.ndarray, diagram: PowerDiagram) -> Grains:
    """Phase, orientation and volume as the map has them, with the diagram."""
    assert source.grain_id is not None
    n = len(numbers)
    volume = np.bincount(source.grain_id.ravel(), minlength=n + 1)[1:] * source.grid.cell_measure
    if ms.grains is not None:
        phase, turn = ms.grains.phase_id[numbers - 1], ms.grains.orientation[numbers - 1]
    else:
        inside = np.flatnonzero(source.grain_id)
        _, first = np.unique(source.grain_id.ravel()[inside], return_index=True)
        phase, turn = ms.phase_id.ravel()[inside[first]], np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    parts = (t.numpy() for t in (diagram.sites, diagram.metrics, diagram.weights))
    return Grains(phase.astype(np.int16), turn, volume, None, *parts)


def _notes(statistics: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if statistics["grains"] == 1:
        notes.append("one grain: its cell is the whole map, there is nothing to fit")
    if statistics["split_grains"]:
        notes.append(f"{statistics['split_grains']} grains come in several pieces: each is kept as one")
    if statistics["masked"]:
        notes.append(f"{statistics['masked']} points have no grain: they are left out of the fit and of all figures")
    return tuple(notes)


def _floor(grid: Grid | HexGrid, own: Grid | HexGrid) -> Grid:
    """The plane of a volume that a plane is extruded to."""
    if grid.ndim != 3 or own.ndim != 2 or not isinstance(grid, Grid):
        raise InvalidParameter("grid", expected=f"a grid of {own.ndim} axes, or 3 to extrude", got=grid.shape)
    return Grid(grid.shape[:2], grid.spacing[:2], grid.origin[:2], grid.periodic[:2])


def _nearest(own: Grid | HexGrid, values: np.ndarray, grid: Grid | HexGrid) -> np.ndarray:
    """Values of the nearest points of the map, both boxes beginning at the same corner."""
    if grid is own or values.all():
        return values if grid is own else np.ones(grid.shape, bool)
    places = grid.points() - np.asarray(grid.origin)
    if isinstance(own, HexGrid):
        j = np.clip((places[:, 1] / own.pitch).astype(int), 0, own.shape[1] - 1)
        i = np.floor(places[:, 0] / own.step - 0.5 * (j % 2 == own.shifted)).astype(int)
        limit = own.shape[0] - 1 - (own.short & (j % 2 == own.shifted))
        return values[np.clip(i, 0, limit), j].reshape(grid.shape)
    index = (places / own.spacing).astype(int)
    return values[tuple(np.clip(index, 0, np.array(own.shape) - 1).T)].reshape(grid.shape)
