"""Textures of the published cases: ours beside the published statistics, timed beside the published algorithm.

    python tests/benchmarks/curvatubes.py                          # all ten cases, 100³, three seeds: minutes
    python tests/benchmarks/curvatubes.py --cases tubes --seeds 1
    python tests/benchmarks/curvatubes.py --published              # statistics of the published fields, as a check

The published time is that of one iteration of its algorithm (autograd through the same energy in torch, Adam on a
vector field, blur by FFT), timed here, times its 4000 iterations. Cases and statistics come from the folder named by
MICROGEN_TEST_DATA (curvatubes/cases.json), default ../shared/data beside the checkout.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

DX, EPS = 0.01, 0.02
TOLERANCE = {
    "volume_fraction": 0.04,
    "surface_per_volume_px": 0.04,
    "thickness_px": 0.05,
    "separation_px": 0.06,
    "kappa_1": 0.05,
    "kappa_2": 0.10,
    "euler_characteristic": 0.12,
}
FLOOR = {"kappa_2": 1.0, "euler_characteristic": 8.0}
SLOW = ("bilayers", "pearls", "metatubes")


def data_folder() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MICROGEN_TEST_DATA") or default) / "curvatubes"


def read_nifti(path: Path) -> np.ndarray:
    """A float32 or float64 NIfTI volume, as stored."""
    raw = gzip.decompress(path.read_bytes())
    shape = struct.unpack("<8h", raw[40:56])[1:4]
    (code,) = struct.unpack("<h", raw[70:72])
    (offset,) = struct.unpack("<f", raw[108:112])
    count = int(np.prod(shape))
    kind = {16: "<f4", 64: "<f8"}[code]
    return np.frombuffer(raw, kind, count, int(offset)).reshape(shape, order="F").astype(np.float32)


def curvatures(u: np.ndarray) -> tuple[float, float]:
    """Area-weighted kappa_1 and kappa_2 of the level sets |u| < 0.3, in 1/length; positive where solid is convex."""
    g = [(np.roll(u, -1, k) - np.roll(u, 1, k)) / (2 * DX) for k in range(3)]
    h = [[(np.roll(g[i], -1, j) - np.roll(g[i], 1, j)) / (2 * DX) for j in range(3)] for i in range(3)]
    for k in range(3):
        h[k][k] = (np.roll(u, -1, k) + np.roll(u, 1, k) - 2 * u) / DX**2
    near = np.abs(u) < 0.3
    g = np.array([x[near] for x in g])
    h = np.array([[x[near] for x in row] for row in h])
    size = np.sqrt((g**2).sum(0)) + 1e-12
    n = g / size
    project = np.eye(3)[:, :, None] - n[:, None] * n[None]
    shape = -np.einsum("ija,jka,kla->ila", project, h, project) / size
    trace = np.einsum("iia->a", shape)
    root = np.sqrt(np.maximum(2 * (shape**2).sum((0, 1)) - trace**2, 0))
    return float(np.average((trace + root) / 2, weights=size)), float(np.average((trace - root) / 2, weights=size))


def euler(solid: np.ndarray) -> float:
    """Euler characteristic on the torus of the closed voxels (26-connected): vertices - edges + faces - voxels."""
    total = 0
    for dims in np.ndindex(2, 2, 2):  # 1 where the cell has no extent along the axis
        cells = solid
        for axis in range(3):
            if dims[axis]:
                cells = cells | np.roll(cells, 1, axis)
        total += (-1) ** (3 - sum(dims)) * int(cells.sum())
    return float(total)


def thickness(solid: np.ndarray) -> float:
    """Mean diameter of the largest ball in the set that covers each voxel, in voxels, on the torus."""
    pad = 16 if solid.mean() < 0.5 else 40
    wide = np.pad(solid, pad, mode="wrap")
    inner = ndimage.distance_transform_edt(wide)
    best = np.zeros(wide.shape, np.float32)
    for r in np.arange(0.5, inner.max() + 0.5, 0.5):
        core = inner >= r
        if core.any():
            best[ndimage.distance_transform_edt(~core) < r] = r
    cut = (slice(pad, -pad),) * 3
    return float(2 * best[cut][solid].mean())


def surface(u: np.ndarray) -> float:
    """Area of the level set 0 on the wrapped field per volume, 1/voxel."""
    import pyvista

    wrapped = np.pad(u, (0, 1), mode="wrap")
    image = pyvista.ImageData(dimensions=wrapped.shape)
    image.point_data["u"] = wrapped.ravel(order="F")
    return float(image.contour([0.0], scalars="u", method="marching_cubes").area / u.size)


def statistics(u: np.ndarray, *, balls: bool = True) -> dict[str, float]:
    solid = u > 0
    first, second = curvatures(u)
    found = {"volume_fraction": float(solid.mean()), "surface_per_volume_px": surface(u), "kappa_1": first}
    found |= {"kappa_2": second, "euler_characteristic": euler(solid)}
    if balls:
        found |= {"thickness_px": thickness(solid), "separation_px": thickness(~solid)}
    return found


def published_iteration(n: int) -> float:
    """Seconds of one iteration of the published algorithm at n³: u = blur(div A/dx + m), autograd, Adam on A."""
    import torch

    from microgen.core.kernels.phase_field_reference import energy, shifted

    periodic = (True,) * 3
    vector = torch.rand(3, n, n, n).mul_(40 * DX).requires_grad_()
    adam = torch.optim.Adam([vector], lr=1e-3, eps=1e-2)
    k = torch.fft.fftfreq(n) * 2 * np.pi
    kz = torch.fft.rfftfreq(n) * 2 * np.pi
    blur = torch.exp(-2 * (k[:, None, None] ** 2 + k[None, :, None] ** 2 + kz**2))
    times = []
    for _ in range(4):
        began = time.perf_counter()
        adam.zero_grad()
        div = sum(shifted(vector[a], a, 1, True) - shifted(vector[a], a, -1, True) for a in range(3)) / (2 * DX)
        u = torch.fft.irfftn(torch.fft.rfftn(div - 0.4) * blur, s=(n,) * 3)
        energy(u, (1.0, 2.0, 6.0, -40.0, -40.0, 400.0), eps=EPS, spacing=(DX,) * 3, periodic=periodic).backward()
        adam.step()
        times.append(time.perf_counter() - began)
    return min(times)


def made(case: dict, n: int, seed: int) -> tuple[np.ndarray, dict]:
    from microgen import Curvatubes, Grid
    from microgen.generators.curvatubes import Coefficients

    coefficients = Coefficients(*(case[k] for k in ("a20", "a11", "a02", "b10", "b01", "c")))
    sample = Curvatubes(coefficients, case["mass"]).sample(Grid((n,) * 3, (1.0,) * 3, periodic=(True,) * 3), seed=seed)
    assert sample.level_set is not None
    assert sample.provenance is not None
    return sample.level_set, sample.provenance.achieved


def judge(name: str, case: dict, means: dict[str, float]) -> list[str]:
    """One cell per statistic: ours, its distance from the published one, and ! where it misses its tolerance."""
    cells = []
    for key, ours in means.items():
        theirs = case["statistics"][key]
        share = max(TOLERANCE[key], 0.10 if name in SLOW else 0)
        fine = abs(ours - theirs) <= max(share * abs(theirs), FLOOR.get(key, 0))
        cells.append(f"{key.split('_p')[0]} {ours:.4g} ({ours / theirs - 1:+.1%}){'' if fine else '!'}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", help="names of cases; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shape", type=int, default=100)
    parser.add_argument("--published", action="store_true", help="measure the published fields instead of ours")
    parser.add_argument("--no-balls", action="store_true", help="leave thickness and separation out: they take longest")
    options = parser.parse_args()
    cases = json.loads((data_folder() / "cases.json").read_text())
    made(cases["tubes"], 24, 0)  # loads the compiled code
    rival = 0.0 if options.published else 4000 * published_iteration(options.shape)
    for name in options.cases or cases:
        found, seconds, notes = [], [], []
        for seed in range(1 if options.published else options.seeds):
            if options.published:
                u = read_nifti(data_folder() / f"{name}.nii.gz") + 0.005 * bool(cases[name].get("quantised"))
            else:
                began = time.perf_counter()
                u, achieved = made(cases[name], options.shape, seed)
                seconds.append(time.perf_counter() - began)
                notes.append(f"{achieved['iterations']}{'*' if achieved['status'] == 'capped' else ''}")
            found.append(statistics(u, balls=not options.no_balls))
            found[-1]["euler_characteristic"] *= 1e6 / u.size
        means = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
        tail = f"{np.mean(seconds):.1f} s, {rival / np.mean(seconds):.0f}x, steps {' '.join(notes)}" if seconds else ""
        print(f"{name}: {tail}\n    " + "  ".join(judge(name, cases[name], means)), flush=True)


if __name__ == "__main__":
    main()
