"""Distances, matchings, ways and barycenters: ours beside GeomLoss, POT and the exact assignment, in the same run.

    python tests/benchmarks/wasserstein.py                 # clouds of 2000 and 10 000 grains, a way, a barycenter
    python tests/benchmarks/wasserstein.py --quick         # 2000 grains, small ways and volumes
    python tests/benchmarks/wasserstein.py --grains 10000  # clouds of one size

Grains are drawn as points of size and shape with places in a periodic box (13 coordinates). The error of a distance is
against the exact W2 of the assignment (scipy, equal weights). GeomLoss (`pip install geomloss`) and POT (`pip install
POT`) are compared where they are installed. Seconds of wall and (in brackets) of processor time, after a small run.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import microgen
from microgen import AspectRatioLaw, Grid, Polycrystal, SizeLaw
from microgen.core.barycenter import barycenter
from microgen.core.wasserstein import sinkhorn_divergence
from microgen.descriptors.grain_cloud import BLUR, GrainCloud, points
from microgen.fitting import matching


def cloud(n: int, *, seed: int, cv: float, elongation: float) -> GrainCloud:
    """Lognormal volumes, axes around z with a lognormal aspect ratio, places at random."""
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal((n, 3)) * (1.0, 1.0, 2.0)
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    ratio = np.log(elongation) + 0.2 * rng.standard_normal(n)
    log_shape = ratio[:, None, None] * (axis[:, :, None] * axis[:, None, :] - np.eye(3) / 3)
    volume = np.exp(3 * math.sqrt(math.log1p(cv**2)) * rng.standard_normal(n))
    place, phase = rng.random((n, 3)), np.full(n, "material", object)
    box = (n ** (1 / 3),) * 3
    return GrainCloud(np.arange(1, n + 1), place, volume, log_shape, phase, box, (True,) * 3)


def timed(work: Callable[[], Any]) -> tuple[Any, str]:
    began, clock = time.perf_counter(), time.process_time()
    found = work()
    return found, f"{time.perf_counter() - began:6.1f} s ({time.process_time() - clock:6.1f} s)"


def distances(n: int) -> None:
    """Ours, GeomLoss and POT against the exact assignment."""
    a, b = cloud(n, seed=0, cv=0.35, elongation=1.3), cloud(n, seed=1, cv=0.5, elongation=1.75)
    x, y = points(a, b)

    def assigned() -> float:
        cost = cdist(x, y, "sqeuclidean")
        return math.sqrt(cost[linear_sum_assignment(cost)].mean())

    # Ours first: the exact costs take 800 MB at 10 000 grains, and what follows ran slower by far on a small machine.
    ours = [(blur, *timed(partial(sinkhorn_divergence, x, y, blur=blur))) for blur in (0.3, BLUR, 0.15)]
    exact, seconds = timed(assigned)
    print(f"{n} and {n} grains, exact W2 {exact:.4f}: scipy assignment {seconds}", flush=True)

    def told(name: str, found: float, seconds: str, more: str = "") -> None:
        print(f"  {name:44} {found / exact - 1:+8.2%}  {seconds}  {more}", flush=True)

    for blur, found, seconds in ours:
        told(f"ours, blur {blur}", found.distance, seconds, f"{found.steps} steps, {found.misplaced:.1%} misplaced")
    if find_spec("geomloss"):
        _geomloss(x, y, told)
    if find_spec("ot") and n <= 2000:
        import ot

        cost = cdist(x, y, "sqeuclidean")
        found, seconds = timed(lambda: ot.emd2(np.full(n, 1 / n), np.full(n, 1 / n), cost, numItermax=10**7))
        told("POT emd2 (exact)", math.sqrt(float(found)), seconds)
    for name, most in (("full matrix", 10**9), ("candidates", 0)):
        if n > 2000 and most:
            continue
        matching.PAIRS = most
        found, seconds = timed(lambda: matching.match(a, b))
        print(f"  matching, {name}: mean cost {found.cost:.5f}, {seconds}", flush=True)
    if n > 2000:
        full, seconds = timed(lambda: matching.costs(a, b, math.sqrt(a.spacing * b.spacing)))
        (i, j), seconds = timed(lambda: linear_sum_assignment(full))
        print(f"  matching, full matrix: mean cost {full[i, j].mean():.5f}, {seconds} without the costs", flush=True)


def _geomloss(x: np.ndarray, y: np.ndarray, told: Callable[..., None]) -> None:
    import geomloss

    p, q = (torch.tensor(v, dtype=torch.float32) for v in (x, y))
    for backend, scaling in (("tensorized", 0.5), ("tensorized", 0.9), ("multiscale", 0.5)):
        loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=BLUR, scaling=scaling, backend=backend)
        name = f"GeomLoss {backend}, blur {BLUR}, scaling {scaling}"
        try:
            found, seconds = timed(lambda loss=loss: math.sqrt(2 * float(loss(p, q))))
        except (NotImplementedError, RuntimeError, MemoryError, ImportError) as error:
            print(f"  {name:44} {type(error).__name__}: {str(error)[:60] or 'not for 13 coordinates'}", flush=True)
            continue
        told(name, found, seconds)


def way(grains: int, other: int, side: int) -> None:
    """Five steps between two samples, each solved again."""
    grid = Grid((side,) * 3, (1.0,) * 3, periodic=(True,) * 3)
    a = Polycrystal(grains).sample(grid, seed=0)
    laws = {"size": SizeLaw(cv=0.5), "aspect_ratio": AspectRatioLaw(mean=2.0)}
    b = Polycrystal(other, **laws).sample(grid, seed=1)
    path, seconds = timed(lambda: microgen.interpolate(a, b))
    _, measured = timed(lambda: microgen.grain_distance(a, b))
    print(f"way from {grains} to {other} grains on {side}^3: matching {seconds}, distance {measured}")
    for k in range(5):
        sample, seconds = timed(partial(path.at, k / 4))
        figures = sample.provenance.achieved if sample.provenance else {}
        worst = f"counts from 400 voxels off by {figures['volume_error_max_400']:.2%}"
        if "subvoxel_error_max" in figures:
            worst += f", sub-voxel below {figures['subvoxel_error_max']:.2%}"
        print(f"  t = {k / 4:.2f}: {figures['grains']} grains, {worst}, {figures['status']}, {seconds}", flush=True)


def between(side: int) -> None:
    """Three balls, whose barycenter is the ball in the middle."""
    index = np.indices((side,) * 3)
    places = [(0.3, 0.5, 0.35), (0.7, 0.5, 0.35), (0.5, 0.5, 0.8)]

    def ball(place: tuple[float, ...] | np.ndarray) -> np.ndarray:
        return sum((i - p * (side - 1)) ** 2 for i, p in zip(index, place)) < (0.15 * side) ** 2

    balls, wanted = [ball(p) for p in places], ball(np.mean(places, axis=0))
    for debiased in (True, False):
        found, seconds = timed(partial(barycenter, balls, debiased=debiased, throw=False))
        solid = found.solid(float(wanted.mean()))
        overlap = (solid & wanted).sum() / (solid | wanted).sum()
        sharp = found.density[wanted].sum()
        kind = "debiased" if debiased else "as in Solomon et al."
        print(
            f"barycenter of 3 balls on {side}^3, {kind}: {found.steps} steps, overlap with the ball {overlap:.3f}, "
            f"{sharp:.1%} of the mass in it, {seconds}",
            flush=True,
        )


def main() -> None:
    """All tables."""
    flags = argparse.ArgumentParser()
    flags.add_argument("--quick", action="store_true")
    flags.add_argument("--grains", type=int, nargs="*", help="sizes of clouds; then no ways and volumes")
    given = flags.parse_args()
    quick = given.quick
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    print(f"{machine}, microgen {microgen.Provenance('wasserstein').version}")
    small = cloud(50, seed=0, cv=0.3, elongation=1.2)
    sinkhorn_divergence(*points(small, small), blur=1.0)
    for n in given.grains or ((2000,) if quick else (2000, 10_000)):
        distances(n)
    if given.grains:
        return
    way(*((100, 80, 48) if quick else (1000, 800, 96)))
    between(48 if quick else 128)


if __name__ == "__main__":
    main()
