"""Steps of the flow of a texture with threads that spin for long and for short, alone and beside other work.

    python tests/benchmarks/threads.py

Prints milliseconds a step, the best of two runs each. OpenMP reads GOMP_SPINCOUNT when it is loaded, each figure is a
process of its own; its own count is 300 000. "busy" has one process a core that computes without end.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import platform
import subprocess
import sys
import time

SIZES = (28, 64)
WAITS = {"as OpenMP has it": "300000", "as microgen has it": "2000", "none": "0"}


def one(side: int) -> float:
    """Milliseconds a step."""
    from microgen import Curvatubes, Grid

    grid, texture = Grid((side,) * 3, (1.0,) * 3, periodic=(True,) * 3), Curvatubes.preset("tubes")
    texture.sample(grid, seed=0)
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        sample = texture.sample(grid, seed=0)
        assert sample.provenance is not None
        best = min(best, (time.perf_counter() - began) / sample.provenance.achieved["iterations"])
    return 1e3 * best


def timed(side: int, spins: str) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP_", "OMP_"))}
    environment["GOMP_SPINCOUNT"] = spins
    done = subprocess.run([sys.executable, __file__, str(side)], env=environment, capture_output=True, text=True)
    return float(done.stdout)


def spin() -> None:
    while True:
        pass


def main() -> None:
    cores = os.cpu_count() or 1
    print(f"{platform.processor() or platform.machine()}, {cores} cores: ms a step")
    print(f"{'':20s}" + "".join(f"{f'{side}^3':>10s}{f'{side}^3 busy':>12s}" for side in SIZES))
    for name, spins in WAITS.items():
        cells = ""
        for side in SIZES:
            alone = timed(side, spins)
            others = [mp.Process(target=spin, daemon=True) for _ in range(cores)]
            for other in others:
                other.start()
            busy = timed(side, spins)
            for other in others:
                other.kill()
            cells += f"{alone:10.2f}{busy:12.2f}"
        print(f"{name:20s}{cells}", flush=True)


if __name__ == "__main__":
    print(one(int(sys.argv[1]))) if len(sys.argv) > 1 else main()
