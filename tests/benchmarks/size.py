"""Large samples: time and memory of a streamed one beside the same in memory, and one diagram beside plain writes.

    python tests/benchmarks/size.py                      # 5000 grains on 512³: the diagram alone
    python tests/benchmarks/size.py stream 12500 256     # a sample, streamed to .zarr: GRAINS, voxels along an axis
    python tests/benchmarks/size.py sample 12500 256     # the same, held in memory

Processor time stands beside wall time, as other work on the machine takes its share of the latter. The diagram is that
of equal volumes (random sites and shapes, weights solved on a coarse grid); its labels are set against a plain copy of
as many bytes in memory.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import microgen
from microgen import Grid, Polycrystal
from microgen.errors import NotConverged

GIB = 2**30


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


def timed(what: str, make: Callable[[], object]) -> object:
    wall, busy = time.perf_counter(), time.process_time()
    made = make()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    print(f"{what:34s} {wall:8.2f} s {busy:8.2f} s of processors   peak {peak():5.2f} GiB", flush=True)
    return made


def kept(make: Callable[[], object]) -> object:
    try:
        return make()
    except NotConverged as error:
        print(error)
        return error.best


def sample(how: str, grains: int, side: int) -> None:
    grid = Grid((side,) * 3, (1.0,) * 3, periodic=(True,) * 3)
    kept(lambda: getattr(Polycrystal(60), how)(Grid((40,) * 3, (1.0,) * 3), seed=0))
    print(f"{grains} grains on {side}^3, {how}; libraries {peak():.2f} GiB")
    made = timed("solved", lambda: kept(lambda: getattr(Polycrystal(grains), how)(grid, seed=0)))
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        for suffix in ("zarr", "tif"):
            timed(f"written as .{suffix}", lambda suffix=suffix: microgen.write(made, folder / f"a.{suffix}"))
    finally:
        shutil.rmtree(folder)
    print({k: v for k, v in made.provenance.achieved.items() if k != "hard_core"})


def diagram(grains: int, side: int, rounds: int = 3) -> None:
    from microgen.core import PowerDiagram
    from microgen.core.kernels import cpu
    from microgen.generators.solve import coarser, untangle

    fine = Grid((side,) * 3, (1.0,) * 3, periodic=(True,) * 3)
    layout = Polycrystal(grains).layout(fine, seed=0)
    cells: PowerDiagram = untangle(layout, coarser(fine, grains))[1].diagram
    order = (0, 1, 2)
    small = Grid((48,) * 3, (side / 48,) * 3, periodic=(True,) * 3)
    for name, labels in (("without labels", False), ("with labels", True)):
        cpu.sweep(cells.tree(order), cells.lattice(small, order), cpu.Wanted(labels, False, -1.0))
        for _ in range(rounds):
            timed(
                name,
                lambda labels=labels: cpu.sweep(
                    cells.tree(order), cells.lattice(fine, order), cpu.Wanted(labels, False, -1.0)
                ),
            )
    for _ in range(rounds):
        timed("new memory of the labels, filled", lambda: np.full(fine.shape, 1, np.int32))


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if len(sys.argv) > 1 and sys.argv[1] in ("stream", "sample"):
        sample(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        diagram(*(map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (5000, 512)))


if __name__ == "__main__":
    main()
