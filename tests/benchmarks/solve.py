"""Weights for prescribed volumes: ours beside PyAPD 0.2.0, on the same problem, the same machine, in the same run.

    python tests/benchmarks/solve.py                 # the table, up to N = 10 000; PyAPD itself at N = 1000: minutes
    python tests/benchmarks/solve.py --large         # also N = 100 000 on 512³ (ours only)
    python tests/benchmarks/solve.py --no-rival      # ours only
    python tests/benchmarks/solve.py --device cuda   # ours on the CPU and on a GPU, each row; --large with a million

The problem is that of Buze et al. 2024 (arXiv 2403.03571): random sites in the unit cube, not periodic, random metrics
with semi-axes drawn from [0.7, 1] and of the grain's own size (determinant 1 for equal volumes), cold start, 1 %.
Ours is timed after one small run has loaded the compiled code. Beyond N = 1000, PyAPD's time is one evaluation of its
dual by KeOps, timed here on a slab of the voxels, times the number of evaluations published (50 for 1000 grains to
113): marked with ~.
Needs `pip install PyAPD==0.2.0` for the rival.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time

import numpy as np
import torch

from microgen import Grid
from microgen.core import solve_weights

CASES = [
    ("equal volumes", 1000, 92, 0.0, 50),
    ("equal volumes", 5000, 158, 0.0, 80),
    ("equal volumes", 10000, 198, 0.0, 113),
    ("lognormal volumes, sigma ln D = 0.35", 5000, 158, 0.35, 80),
]
SLAB = 16  # all pairs are evaluated: a sixteenth of the voxels takes a sixteenth of the time
LARGE = ("equal volumes", 100_000, 512, 0.0, 0)
MILLION = ("equal volumes", 1_000_000, 1024, 0.0, 0)  # on a GPU only


def problem(n: int, spread: float, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sites, metrics (of determinant 1 for equal volumes) with semi-axes drawn from [0.7, 1], volumes summing to 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.7, 1.0, (2, n))
    axes = np.stack([a, b, 1 / (a * b)], 1)
    turn = np.linalg.qr(rng.standard_normal((n, 3, 3)))[0]
    metrics = np.einsum("nij,nj,nkj->nik", turn, axes**-2.0, turn)
    volumes = np.exp(3 * spread * rng.standard_normal(n))
    metrics *= volumes.mean() ** (2 / 3) * volumes[:, None, None] ** (-2 / 3)
    return tuple(
        torch.from_numpy(x)
        for x in (rng.random((n, 3)), (metrics + metrics.transpose(0, 2, 1)) / 2, volumes / volumes.sum())
    )


def ours(n: int, side: int, spread: float, runs: int = 3, *, device: str = "cpu") -> tuple[float, str]:
    """Median time of so many runs, and what was reached. The solution is on the host, so a GPU is done with it."""
    grid = Grid((side,) * 3, (1 / side,) * 3)
    times = []
    for _ in range(runs):
        tensors = problem(n, spread)
        began = time.perf_counter()
        solution = solve_weights(*tensors, grid, repair=False, device=device)
        times.append(time.perf_counter() - began)
    reached = (
        f"counts from 400 voxels {solution.volume_error_max_400:.2%}, sub-voxel below {solution.subvoxel_error_max:.2%}"
    )
    return float(np.median(times)), f"{solution.status}, {reached}, {len(solution.history)} sweeps"


def rival(n: int, side: int, spread: float, evaluations: int) -> tuple[float, str]:
    """PyAPD's own solver at N = 1000; beyond, one evaluation times the published number of them."""
    from PyAPD.apds import apd_system

    sites, metrics, volumes = problem(n, spread)
    slab = side if n <= 1000 else max(1, side // SLAB)
    system = apd_system(
        X=sites, As=metrics, target_masses=volumes, pixel_params=(side, side, slab), D=3, device="cpu", dt=torch.float32
    )
    system.assemble_pixels()
    system.OT_dual_function(system.W)  # compiles
    began = time.perf_counter()
    if n <= 1000:
        system.find_optimal_W(verbose=False)
        return time.perf_counter() - began, "PyAPD.find_optimal_W"
    system.OT_dual_function(system.W)
    once = (time.perf_counter() - began) * side / slab
    return once * evaluations, f"~ one evaluation {once:.1f} s (by {slab} of {side} layers) x {evaluations}"


def on_gpu(device: str, n: int, side: int, spread: float, runs: int = 3) -> None:
    """The row again on a GPU, with the memory it took there; nothing without one."""
    if device != "cuda":
        return
    torch.cuda.reset_peak_memory_stats()
    seconds, reached = ours(n, side, spread, runs, device=device)
    peak = torch.cuda.max_memory_allocated() / 2**30
    name = torch.cuda.get_device_name(0)
    print(f"N={n:6d} {side}^3 on {name:35s} ours {seconds:8.3f} s  {reached}, {peak:.2f} GiB there", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--no-rival", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    for device in {"cpu", options.device}:
        ours(64, 24, 0.0, runs=1, device=device)
    for law, n, side, spread, evaluations in CASES:
        seconds, reached = ours(n, side, spread)
        print(f"N={n:6d} {side}^3 {law:38s} ours {seconds:8.2f} s  {reached}", flush=True)
        on_gpu(options.device, n, side, spread)
        if not options.no_rival:
            other, how = rival(n, side, spread, evaluations)
            print(f"{'':20s} {'':38s} PyAPD {other:7.1f} s  {how}: {other / seconds:.0f} times ours", flush=True)
    if options.large:
        seconds, reached = ours(*LARGE[1:4], runs=1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"N={LARGE[1]:6d} {LARGE[2]}^3 {LARGE[0]:38s} ours {seconds:8.2f} s  {reached}, peak memory {peak:.2f} GB",
            flush=True,
        )
        on_gpu(options.device, *LARGE[1:4], runs=1)
        on_gpu(options.device, *MILLION[1:4], runs=1)


if __name__ == "__main__":
    main()
