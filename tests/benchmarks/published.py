"""What the published algorithm itself gives for its cases: the spread of its seeds is the room that ours has.

    python tests/benchmarks/published.py --cases tubes --seeds 2    # adds rows to published.jsonl, skips those there
    python tests/benchmarks/published.py --table                    # mean and range of the rows beside the one field

Song 2022: u = blur(div A + m), A uniform in [0, 40 dx]^3 at the start, blur of two voxels, plain Adam on A (rate 1e-3,
betas 0.9 and 0.999, eps 1e-2) for 8000 iterations. The energy and its gradient come from the fused kernel instead of
autograd, which changes the time and not the path: the tests hold one to the other.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from curvatubes import DX, EPS, data_folder, statistics

ORDER = ("a20", "a11", "a02", "b10", "b01", "c")
MEASURED_AT = (2000, 4000, 8000)


def blur_of(n: int) -> torch.Tensor:
    """Transfer function of a Gaussian of two voxels on the half spectrum of n³."""
    k, kz = torch.fft.fftfreq(n) * 2 * np.pi, torch.fft.rfftfreq(n) * 2 * np.pi
    return torch.exp(-2 * (k[:, None, None] ** 2 + k[None, :, None] ** 2 + kz**2))


def fields(case: dict[str, Any], n: int, seed: int) -> Iterator[tuple[int, float, np.ndarray]]:
    """(iteration, F, u) of the published algorithm at the iterations of MEASURED_AT."""
    from microgen.core.phase_field import Energy

    energy = Energy(tuple(case[k] for k in ORDER), EPS, (DX,) * 3, (True,) * 3)
    torch.manual_seed(seed)
    vector = torch.rand(3, n, n, n).mul_(40 * DX)
    adam = torch.optim.Adam([vector], lr=1e-3, eps=1e-2, fused=True)
    blur = blur_of(n)

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfftn(torch.fft.rfftn(x) * blur, s=x.shape)

    for done in range(MEASURED_AT[-1] + 1):
        div = sum(torch.roll(vector[a], -1, a) - torch.roll(vector[a], 1, a) for a in range(3)) / (2 * DX)
        u = smooth(div + case["mass"])
        value, slope = energy(u.numpy())
        if done in MEASURED_AT:
            yield done, value, u.numpy().copy()
        pull = smooth(torch.from_numpy(slope))
        vector.grad = torch.stack([torch.roll(pull, 1, a) - torch.roll(pull, -1, a) for a in range(3)]).div_(2 * DX)
        adam.step()


def run(cases: dict[str, Any], names: list[str], seeds: range, n: int, out: Path) -> None:
    done = {(row["case"], row["seed"]) for row in rows(out) if row["iteration"] == MEASURED_AT[-1]}
    for seed, name in ((s, c) for s in seeds for c in names if (c, s) not in done):
        began = time.perf_counter()
        for iteration, value, u in fields(cases[name], n, seed):
            found = statistics(u, balls=iteration == MEASURED_AT[-1])
            found["euler_characteristic"] *= 1e6 / u.size
            row = {"case": name, "seed": seed, "iteration": iteration, "energy": value, **found}
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{name} seed {seed} at {iteration}: {time.perf_counter() - began:.0f} s", flush=True)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def table(cases: dict[str, Any], out: Path) -> None:
    for name in cases:
        for iteration in MEASURED_AT:
            found = [r for r in rows(out) if (r["case"], r["iteration"]) == (name, iteration)]
            if not found:
                continue
            cells = []
            for key in [k for k in found[0] if k in cases[name]["statistics"]]:
                values = [r[key] for r in found]
                one = cases[name]["statistics"][key]
                cells.append(f"{key} {np.mean(values):.4g} [{min(values):.4g}, {max(values):.4g}] / {one:.4g}")
            print(f"{name} at {iteration}, {len(found)} seeds: " + "; ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", help="names of cases; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shape", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("published.jsonl"))
    parser.add_argument("--table", action="store_true", help="print what is there and compute nothing")
    options = parser.parse_args()
    cases = json.loads((data_folder() / "cases.json").read_text())
    if not options.table:
        run(cases, options.cases or list(cases), range(options.seeds), options.shape, options.out)
    table(cases, options.out)


if __name__ == "__main__":
    main()
