"""Searches on made-up statistics whose best point is known: ours, scikit-optimize's own loop, and chance.

    python tests/benchmarks/search.py --seeds 6

Four statistics depend on five parameters, a little bent, in units that a search cannot know; a distance is never below
what their shapes differ by (0.1). Printed are the least objectives of 24 samples by seed, and processor seconds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from microgen.fitting.composite import Parts
from microgen.fitting.search import make_search

DIMENSIONS, SAMPLES, FIRST, BATCH = 5, 24, 8, 4
RNG = np.random.default_rng(0)
SLOPES = 8 * RNG.standard_normal((4, DIMENSIONS))
BEST = RNG.uniform(0.2, 0.8, DIMENSIONS)
UNITS = np.array([1.0, 30.0, 0.01, 400.0])
SHAPE = 0.1


def parts_of(point: Any) -> dict[str, Parts]:
    x = np.asarray(point) - BEST
    lack = SLOPES @ x + 2 * np.sin(3 * x).sum() * x[0]
    ratio = np.hypot(SHAPE * (1 + x @ x), lack)
    return {str(k): Parts(float(ratio[k]), float(UNITS[k] * lack[k])) for k in range(4)}


def value_of(parts: dict[str, Parts]) -> float:
    return float(np.mean([p.ratio for p in parts.values()]))


def searched(seed: int, name: str = "gp", *, samples: int = SAMPLES) -> tuple[Any, list[float]]:
    """A search of ours after so many samples, and their objectives."""
    search = make_search(name, DIMENSIONS, seed=seed, first=FIRST)
    values: list[float] = []
    while len(values) < samples:
        points = search.ask(BATCH)
        found = [parts_of(p) for p in points]
        values += map(value_of, found)
        search.tell(points, values[-BATCH:], found)
    return search, values


def skopt(seed: int) -> float:
    """Expected improvement on one Gaussian process for the logarithm of the objective."""
    from skopt import Optimizer

    box, lhs = [(0.0, 1.0)] * DIMENSIONS, "lhs"
    loop = Optimizer(box, "GP", n_initial_points=FIRST, initial_point_generator=lhs, acq_func="EI", random_state=seed)
    values: list[float] = []
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        while len(values) < SAMPLES:
            points: Any = loop.ask(n_points=BATCH)
            values += [value_of(parts_of(p)) for p in points]
            loop.tell(points, np.log(values[-BATCH:]).tolist())
    return min(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    rivals: dict[str, Callable[[int], float]] = {"ours": lambda seed: min(searched(seed)[1]), "scikit-optimize": skopt}
    rivals["chance"] = lambda seed: min(searched(seed, "random")[1])
    for name, run in rivals.items():
        began = time.process_time()
        found = sorted(run(seed) for seed in range(options.seeds))
        seconds = (time.process_time() - began) / options.seeds
        print(f"{name:16s} {' '.join(f'{value:5.2f}' for value in found)}   {seconds:.1f} s of processors a search")


if __name__ == "__main__":
    main()
