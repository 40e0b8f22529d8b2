"""`describe`'s statistics beside those of porespy and scikit-image on the same volumes: value, CPU time, peak memory.

    pip install "porespy>=3.2"
    python tests/benchmarks/descriptors_against_porespy.py              # balls, a gyroid, the published tubes, 100³
    python tests/benchmarks/descriptors_against_porespy.py --size 60 --volumes gyroid

Every figure comes from a process of its own, after one run on 24³ that loads compiled code; time is user and system
time of all threads, memory what the process needs at its peak above what it held before. Nothing is periodic here, as
porespy has no such axes. Lengths in voxels. Definitions differ, and the lines say where:

- thickness: ours is the mean of 2 r - 1/2, r the distance to the nearest void centre; porespy's r is brought to that.
  Its default rounds r down to whole voxels, so walls come out up to two voxels too thin; "exact" is its method with
  all distances that occur, whose balls are the same as ours.
- S2: at lag 5; porespy averages a bin [5, 6) and each lag alike, so it is given our bins (4.5 to 5.5).
- chords: porespy takes a quarter of the lines and drops those in the faces of the box.
- lineal path: at lag 5, porespy's share of solid voxels brought to our share of lines.
- voxel surface: ours counts crossings (Crofton), which is right on average over orientations; porespy takes marching
  cubes on smoothed voxels, and the cuts at the faces of the box for surface, which are taken off here.
- level surface: of u = 0, against scikit-image's marching cubes.
- Euler number: porespy has none; scikit-image's, 26-connected, without periodic axes, is by the same definition.
- diffusivity: porespy's solver needs OpenPNM, which brings MKL, so the system is solved by scipy here: a sparse matrix
  of all pairs of neighbours, faces held at 1 and 0 half a voxel outside the first and last layer. (porespy holds the
  layers themselves, so that n voxels are n - 1 intervals long.)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure

MIB = 2**20
LAG = 5


def balls(n: int) -> np.ndarray:
    """Signed distance to the nearest of overlapping balls of radius n / 10, positive inside."""
    rng, places = np.random.default_rng(0), np.indices((n,) * 3)
    centres = rng.uniform(0, n, (60, 3))
    return np.max([n / 10 - np.sqrt(sum((p - c) ** 2 for p, c in zip(places, at))) for at in centres], axis=0)


def gyroid(n: int) -> np.ndarray:
    x, y, z = np.meshgrid(*[(np.arange(n) + 0.2) * 4 * np.pi / n] * 3, indexing="ij")
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)


def tubes(n: int) -> np.ndarray:
    """A corner of the published field."""
    from curvatubes import data_folder, read_nifti

    return np.ascontiguousarray(read_nifti(data_folder() / "tubes.nii.gz")[:n, :n, :n])


VOLUMES: dict[str, Callable[[int], np.ndarray]] = {"balls": balls, "gyroid": gyroid, "tubes": tubes}


def sample(u: np.ndarray, *, level: bool = False) -> Microstructure:
    kind = np.where(u > 0, 0, -1).astype(np.int16)
    return Microstructure(Grid(u.shape, (1.0,) * 3), kind, level_set=u.astype(np.float32) if level else None)


def ours(u: np.ndarray, name: str) -> float:
    from microgen.descriptors.correlation import two_point_correlation
    from microgen.descriptors.diffusivity import effective_diffusivity
    from microgen.descriptors.euler import euler_number
    from microgen.descriptors.lineal_path import lineal_path, solid_chord_length
    from microgen.descriptors.percolation import percolation
    from microgen.descriptors.surface import specific_surface
    from microgen.descriptors.thickness import thickness

    ms = sample(u, level=name == "level surface")
    calls: dict[str, Callable[[], float]] = {
        "thickness": lambda: thickness(ms).mean,
        "thickness, exact": lambda: thickness(ms).mean,
        "S2": lambda: float(two_point_correlation(ms).y[LAG]),
        "chords": lambda: solid_chord_length(ms).mean,
        "lineal path": lambda: float(lineal_path(ms).y[LAG]),
        "voxel surface": lambda: specific_surface(ms),
        "level surface": lambda: specific_surface(ms) * (len(u) - 1) ** 3 / u.size,
        "Euler number": lambda: float(euler_number(ms)),
        "percolation": lambda: percolation(ms)[0],
        "diffusivity": lambda: effective_diffusivity(ms, of="solid"),
    }
    return calls[name]()


def theirs(u: np.ndarray, name: str) -> float:
    if name in ("level surface", "Euler number"):
        return scikit_images(u, name)
    if name == "diffusivity":
        return diffusivity(u > 0)
    import porespy

    full = u > 0
    calls: dict[str, Callable[[], float]] = {
        "thickness": lambda: 2 * float(porespy.filters.local_thickness(full)[full].mean()) - 0.5,
        "thickness, exact": lambda: 2 * exact_radius(full) - 0.5,
        "S2": lambda: float(porespy.metrics.two_point_correlation(full, bins=bins()).probability_scaled[LAG]),
        "chords": lambda: chords(full),
        "lineal path": lambda: path(full),
        "voxel surface": lambda: meshed(full),
        "percolation": lambda: porespy.metrics.percolating_porosity(full, conn="max") / full.mean(),
    }
    return float(calls[name]())


def bins() -> np.ndarray:
    return np.append(0, np.arange(LAG + 1) + 0.5)


def exact_radius(full: np.ndarray) -> float:
    import porespy

    distance = porespy.tools.get_edt()(full)
    sizes = np.unique(distance[full])
    return float(porespy.filters.local_thickness(full, dt=distance, method="legacy", sizes=sizes)[full].mean())


def chords(full: np.ndarray) -> float:
    import porespy

    labels = porespy.filters.apply_chords(full, axis=0, label=True)
    lengths = porespy.metrics.chord_counts(labels)
    return float(lengths[lengths > 0].mean())


def path(full: np.ndarray) -> float:
    import porespy

    ahead = porespy.filters.distance_transform_lin(full, axis=0, mode="forward")
    share = porespy.metrics.lineal_path_distribution(ahead, bins=np.arange(0.5, ahead.max() + 1)).cdf[LAG]
    return float(share * full.mean() / (1 - LAG / len(full)))


def meshed(full: np.ndarray) -> float:
    import porespy

    cuts = sum(np.take(full, end, axis).sum() for axis in range(3) for end in (0, -1))
    return float((porespy.metrics.mesh_surface_area(porespy.tools.mesh_region(full)) - cuts) / full.size)


def scikit_images(u: np.ndarray, name: str) -> float:
    from skimage import measure

    if name == "Euler number":
        return float(measure.euler_number(u > 0, connectivity=3))
    points, faces, _, _ = measure.marching_cubes(u.astype(np.float32), 0.0)
    return float(measure.mesh_surface_area(points, faces) / u.size)


def diffusivity(full: np.ndarray) -> float:
    """D_eff / D_0 along the first axis, by the sparse matrix of all pairs of neighbours."""
    from scipy import sparse
    from scipy.sparse.linalg import cg

    number = np.cumsum(full.ravel()).reshape(full.shape) - 1
    n, rows, columns = int(full.sum()), [], []
    for axis in range(3):
        here, there = np.moveaxis(full, axis, 0)[:-1], np.moveaxis(full, axis, 0)[1:]
        both, of = here & there, np.moveaxis(number, axis, 0)
        rows.append(of[:-1][both])
        columns.append(of[1:][both])
    first, second = np.concatenate(rows), np.concatenate(columns)
    links = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(n, n)).tocsr()
    links = links + links.T
    held, source = np.zeros(n), np.zeros(n)
    held[number[0][full[0]]] = held[number[-1][full[-1]]] = 2.0
    source[number[0][full[0]]] = 2.0
    total = np.asarray(links.sum(axis=0)).ravel() + held
    matrix = sparse.diags_array(np.where(total > 0, total, 1.0)) - links
    field, failed = cg(matrix, source, rtol=1e-6, M=sparse.diags_array(1 / np.where(total > 0, total, 1.0)))
    assert not failed
    return float(2 * field[number[-1][full[-1]]].sum() * len(full) / full[0].size)


NAMES = (
    *("thickness", "thickness, exact", "S2", "chords", "lineal path"),
    *("voxel surface", "level surface", "Euler number", "percolation", "diffusivity"),
)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def held() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_one(volume: str, n: int, name: str, side: str) -> None:
    """Print value, CPU seconds and MiB of one statistic as JSON."""
    warnings.simplefilter("ignore")
    u, call = VOLUMES[volume](n), ours if side == "ours" else theirs
    call(gyroid(24), name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before, began = held(), cpu()
    value = call(u, name)
    seconds = cpu() - began
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps([value, seconds, max(0, peak - before) / MIB]))


def in_a_process(*arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, __file__, "--one", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", nargs="*", default=list(VOLUMES), choices=list(VOLUMES))
    parser.add_argument("--statistics", nargs="*", default=list(NAMES), choices=NAMES)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        volume, n, name, side = options.one
        measure_one(volume, int(n), name, side)
        return
    began = time.perf_counter()
    for volume in options.volumes:
        print(f"{volume}, {options.size}³{'':24}value ours / theirs      CPU s ours / theirs   MiB ours / theirs")
        for name in options.statistics:
            pairs = list(zip(*(in_a_process(volume, str(options.size), name, side) for side in ("ours", "theirs"))))
            (a, b), (s, t), (m, p) = pairs
            apart = f"{a / b - 1:+.2%}" if b else f"{a - b:+.2g}"  # balls may not reach through
            print(
                f"    {name:18} {a:12.5g} {b:12.5g} ({apart})  {s:7.3f} {t:7.3f}  {m:7.1f} {p:7.1f}",
                flush=True,
            )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
