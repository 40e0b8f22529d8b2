"""A survey of the morphospace: random curvature polynomials, made and measured, each a row of an atlas."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any, cast

from microgen.atlas import FORMED, STATISTICS
from microgen.descriptors.fingerprint import fingerprint
from microgen.errors import InvalidParameter, NotConverged
from microgen.generators.curvatubes import Curvatubes
from microgen.generators.curvature_prior import CurvaturePrior
from microgen.generators.ensemble import limit_threads, no_interrupt
from microgen.grid import Grid
from microgen.microstructure import Microstructure


@dataclass(frozen=True, eq=False)
class Entry:
    """One row of an atlas (see `Atlas`), and the sample it tells of; None where not even a field came out."""

    row: dict[str, Any]
    sample: Microstructure | None


def survey(
    grid: Grid,
    numbers: Sequence[int],
    *,
    seed: int,
    eps: float = 0.02,
    prior: CurvaturePrior | None = None,
    workers: int | None = None,
) -> Iterator[Entry]:
    """Make and measure the draws of these numbers (from 1), each handed over when it is done, in whatever order.

    The spacing of the grid is in the unit of length of the coefficients, and so are all statistics. Draw number k
    depends on seed and k only, not on workers (processes of one thread each; 1 works in this process) or order. A draw
    that forms no texture is a row too, with the status no_texture (or diverged) and without statistics. Workers are
    spawned: scripts need `if __name__ == "__main__":`. Raises InvalidParameter.
    """
    prior = prior or CurvaturePrior()
    if workers is not None and workers < 1:
        raise InvalidParameter("workers", expected="1 or more processes", got=workers)
    if any(k < 1 for k in numbers) or grid.ndim != 3:
        raise InvalidParameter(
            "numbers, grid", expected="numbers from 1, a volume", got=(list(numbers)[:3], grid.shape)
        )
    Curvatubes(eps=eps, dx=min(grid.spacing)).check(grid, seed=seed)
    job = _Survey(prior, grid, int(seed), float(eps))
    processes = min(workers or os.cpu_count() or 1, len(numbers))
    return map(job.entry, numbers) if processes <= 1 else _parallel(job, numbers, processes)


@dataclass(frozen=True)
class _Survey:
    """What all draws share; workers get a copy."""

    prior: CurvaturePrior
    grid: Grid
    seed: int
    eps: float

    def entry(self, number: int) -> Entry:
        began = time.perf_counter()
        draw = self.prior.draw(number - 1, seed=self.seed)
        generator = Curvatubes(draw.coefficients, draw.mass, eps=self.eps, dx=min(self.grid.spacing))
        sample = _made(generator, self.grid, draw.seed)
        achieved = sample.provenance.achieved if sample is not None and sample.provenance else {"status": "diverged"}
        status = str(achieved["status"])
        found = fingerprint(sample) if status in FORMED and sample is not None else {}
        row = {"sample": number, "seed": draw.seed, "status": status, **asdict(draw.coefficients)}
        row |= {name: value for name, value in asdict(draw).items() if name != "seed"}
        row |= {"iterations": achieved.get("iterations", 0)}
        row |= {name: found.get(name, math.nan) for name in STATISTICS}
        return Entry(row | {"seconds": round(time.perf_counter() - began, 3)}, sample)


def _made(generator: Curvatubes, grid: Grid, seed: int) -> Microstructure | None:
    try:
        return generator.sample(grid, seed=seed)
    except NotConverged as error:
        return cast("Microstructure | None", error.best)


def _parallel(job: _Survey, numbers: Sequence[int], processes: int) -> Iterator[Entry]:
    """Draws take unequal times: each is handed over as it is done, so that no worker waits for another."""
    left = iter(numbers)
    with ProcessPoolExecutor(processes, get_context("spawn"), limit_threads, (1,)) as pool:
        running: set[Future[Entry]] = set()
        try:
            while True:
                for _, number in zip(range(2 * processes - len(running)), left):
                    with no_interrupt():
                        running.add(pool.submit(job.entry, number))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
