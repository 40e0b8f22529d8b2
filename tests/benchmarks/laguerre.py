"""Exact Laguerre cells: one diagram and Newton's method, beside Qhull's Voronoi diagram of the same sites.

Run: python tests/benchmarks/laguerre.py [N ...]. Seconds of user time, compiled code cached. Qhull knows no periodic
box: it gets the sites and those of their images that lie within half a box of it (8 N points).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from scipy.spatial import Voronoi

from microgen.core.laguerre import laguerre_cells, laguerre_weights
from microgen.generators.placement import place_sites

BOX: dict[str, Any] = {"lengths": (1.0, 1.0, 1.0), "periodic": (True, True, True)}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    before = os.times().user
    found = work()
    return os.times().user - before, found


def images(sites: np.ndarray) -> np.ndarray:
    every = np.concatenate([sites + move for move in product((-1, 0, 1), repeat=3)])
    return every[((every > -0.5) & (every < 1.5)).all(axis=1)]


def case(n: int) -> str:
    rng = np.random.default_rng(0)
    volumes = np.exp(3 * np.sqrt(np.log1p(0.35**2)) * rng.standard_normal(n))
    volumes /= volumes.sum()
    spheres = np.repeat(np.eye(3)[None], n, axis=0)
    sites = place_sites(spheres, volumes, (1.0, 1.0, 1.0), periodic=(True,) * 3, hard_core=0.6, rng=rng).sites
    ours, _ = timed(lambda: laguerre_cells(sites, np.zeros(n), **BOX))
    theirs, _ = timed(lambda: Voronoi(images(sites)))
    newton, found = timed(lambda: laguerre_weights(sites, volumes, **BOX))
    seconds = f"{n:7d}  {ours:9.2f} s  {theirs:7.2f} s  {newton:9.2f} s"
    return f"{seconds}  {found.steps:5d}  {found.diagrams:8d}  {found.error_max:12.1e}"


def main(sizes: list[int]) -> None:
    laguerre_weights(np.random.default_rng(0).random((20, 3)), np.full(20, 1 / 20), **BOX)
    print("      N  one diagram  Qhull 8 N  Newton 1e-6  steps  diagrams  worst volume")
    for n in sizes:
        print(case(n))


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1000, 5000])
