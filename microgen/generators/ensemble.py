"""Ensembles: members of one polycrystal with seeds of their own, made in parallel, handed over in order."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, cast

import numpy as np

from microgen.errors import NotConverged
from microgen.generators.laws import number, require
from microgen.grid import Grid
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Polycrystal

DONE = ("converged", "capped")
"""Statuses of samples that are what was asked for."""


def member_seed(seed: int, k: int) -> int:
    """Seed of member k of an ensemble: a 53-bit integer (exact in JSON), the same whatever else is made."""
    high, low = np.random.SeedSequence([int(seed), int(k)]).generate_state(2)
    return (int(high) & 0x1FFFFF) << 32 | int(low)


def samples(
    generator: Polycrystal,
    grid: Grid,
    n: int,
    *,
    seed: int,
    workers: int | None = None,
    members: Sequence[int] | None = None,
) -> Iterator[Microstructure]:
    """Members 0..n-1 of an ensemble, or only `members` of them, in order; k has the seed member_seed(seed, k).

    Results do not depend on the number of worker processes (default: one per core; 1 makes them in this process).
    Workers are spawned: a script that uses more than one needs `if __name__ == "__main__":` around its calls. Members
    that miss the tolerance are handed over like the others, with another provenance.achieved["status"] than `DONE`;
    after the last one NotConverged is raised for them, so nothing is lost and nothing passes unseen.
    """
    fine = number(n) and int(n) == n and n >= 1
    require(fine, "samples", "a positive integer", n)
    require(workers is None or workers >= 1, "workers", "a positive integer", workers)
    chosen = range(n) if members is None else members
    require(all(0 <= k < n for k in chosen), "members", f"numbers from 0 to {n - 1}", members)
    generator.check(grid, seed=seed)
    processes = min(workers or os.cpu_count() or 1, len(chosen))
    return _checked(_made(generator, grid, [member_seed(seed, k) for k in chosen], processes), chosen)


def _made(generator: Polycrystal, grid: Grid, seeds: list[int], processes: int) -> Iterator[Microstructure]:
    if processes <= 1:
        yield from (_member(generator, grid, seed) for seed in seeds)
        return
    threads = max(1, (os.cpu_count() or 1) // processes)
    with ProcessPoolExecutor(processes, get_context("spawn"), limit_threads, (threads,)) as pool:
        waiting: deque[Future[Microstructure]] = deque()
        try:
            for seed in seeds:
                with no_interrupt():
                    waiting.append(pool.submit(_member, generator, grid, seed))
                if len(waiting) > processes:  # as many finished members as workers are held, not the whole ensemble
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Workers start here and inherit what is blocked: Ctrl-C stops this process, which then stops them in silence."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _member(generator: Polycrystal, grid: Grid, seed: int) -> Microstructure:
    try:
        return generator.sample(grid, seed=seed)
    except NotConverged as error:
        return cast(Microstructure, error.best)


def limit_threads(threads: int) -> None:
    """Start of a worker: all workers together use the machine's cores once, and none outlives who started it."""
    import numba
    import torch

    Thread(target=_end_with_parent, daemon=True).start()

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """A process that is killed cannot stop its workers, which would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _checked(made: Iterator[Microstructure], chosen: Sequence[int]) -> Iterator[Microstructure]:
    missed: list[int] = []
    worst = None
    for k, sample in zip(chosen, made):
        if sample.provenance is not None and sample.provenance.achieved.get("status") not in DONE:
            missed.append(k)
            worst = worst or sample
        yield sample
    if missed:
        names = ", ".join(str(k) for k in missed)
        raise NotConverged(f"members {names} did not converge; all were handed over.", best=worst)
