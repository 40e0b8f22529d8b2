"""Scans as compact diagrams: ours beside the plain diagrams of moments, on the same maps, in the same run.

    python tests/benchmarks/reconstruct.py FOLDER            # EBSD scans (.ang, .ctf, .h5) in it: one row each
    python tests/benchmarks/reconstruct.py FOLDER --areas    # also 4587 areas of pyapd_lc_steel_grain_file.txt

Columns: share of points that differ with moments of determinant 1 and weights for the areas of the map, with moments
of the grains' own size (w = 1) and weights for the areas, and with the fit; seconds of the fit (processor time) after
a small run has loaded the compiled code. Points that were not indexed count nowhere; weights for areas need a full map
and are left out (-) where points lack.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import microgen
from microgen import Grid, Microstructure
from microgen.core import solve_weights
from microgen.core.label_fit import grain_moments, labels_on

SUFFIXES = (".ang", ".ctf", ".h5")


def grains_of(path: Path) -> Microstructure:
    """The scan's grains; 0 where nothing was indexed."""
    scan = microgen.read(path)
    found = microgen.segment_grains(scan)
    assert found.grain_id is not None
    return replace(found, grain_id=np.where(scan.phase_id >= 0, found.grain_id, 0))


def with_areas(ms: Microstructure, *, unit: bool) -> float | None:
    """Share of differing points of the moments' diagram with weights for the areas; `unit`: of determinant 1."""
    labels, grid = ms.grain_id, ms.grid
    assert labels is not None
    if not isinstance(grid, Grid) or not labels.all():
        return None
    n = int(labels.max())
    sites, moments = grain_moments(grid.points() - grid.origin, labels.ravel().astype(np.int64) - 1, n, grid)
    metrics = np.linalg.inv(4 * moments)
    metrics = (metrics + metrics.transpose(0, 2, 1)) / 2
    if unit:
        metrics /= np.sqrt(np.linalg.det(metrics))[:, None, None]
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:] * grid.cell_measure
    x, a, v = (torch.from_numpy(each) for each in (sites, metrics, areas))
    solution = solve_weights(x, a, v, replace(grid, origin=(0.0, 0.0)), repair=False)
    return float(np.mean(labels_on(solution.diagram, grid) != labels))


def scans(folder: Path) -> None:
    """One row a scan."""
    print(f"{'scan':42} {'grains':>6} {'points':>7} {'det 1':>7} {'scaled':>7} {'w = 1':>7} {'fit':>7} {'s':>5}")
    for path in sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES):
        ms = grains_of(path)
        began = time.process_time()
        found = microgen.reconstruct(ms).statistics
        seconds = time.process_time() - began
        shares = [with_areas(ms, unit=True), with_areas(ms, unit=False), found["differing_moments"], found["differing"]]
        cells = " ".join(f"{'-' if share is None else f'{share:.2%}':>7}" for share in shares)
        print(f"{path.name:42} {found['grains']:6} {found['points']:7} {cells} {seconds:5.1f}", flush=True)


def areas(path: Path) -> None:
    """Areas of measured ellipses, held on pixels of half the size and measured on pixels an eighth of it."""
    x, y, a, b, turn, area = np.loadtxt(path)[:, :6].T
    frame = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 0, 1)
    metrics = np.einsum("nij,nj,nkj->nik", frame, np.stack([a, b], 1) ** -2.0, frame)
    box, sites = (999.53, 901.5), np.column_stack([x - x.min(), y - y.min()])
    share = area / area.sum()
    half, fine = (Grid((1000 * k, 901 * k), (box[0] / 1000 / k, box[1] / 901 / k)) for k in (2, 8))
    symmetric = (metrics + metrics.transpose(0, 2, 1)) / 2
    x_i, a_i, v_i = (torch.from_numpy(each) for each in (sites, symmetric, share * np.prod(box)))
    began, clock = time.perf_counter(), time.process_time()
    diagram = solve_weights(x_i, a_i, v_i, half, repair=False, small=np.inf).diagram
    wall, cpu = time.perf_counter() - began, time.process_time() - clock
    found = diagram.volumes(fine).numpy()
    error = np.abs(found / found.sum() / share - 1)
    print(
        f"{len(sites)} ellipses: worst area off by {error.max():.2%}, {np.sum(error > 0.01)} by more than 1 %, ", end=""
    )
    print(f"rms {np.sqrt(np.mean(error**2)):.2%}; {wall:.1f} s ({cpu:.1f} s of processor time)")


def main() -> None:
    """The tables."""
    flags = argparse.ArgumentParser()
    flags.add_argument("folder", type=Path)
    flags.add_argument("--areas", action="store_true")
    given = flags.parse_args()
    version = microgen.Provenance("reconstruct").version
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, microgen {version}")
    labels = np.repeat([1, 2], 200).reshape(20, 20).astype(np.int32)
    microgen.reconstruct(Microstructure(Grid((20, 20), (1.0, 1.0)), np.zeros((20, 20), np.int16), grain_id=labels))
    scans(given.folder)
    if given.areas:
        areas(given.folder / "pyapd_lc_steel_grain_file.txt")


if __name__ == "__main__":
    main()
