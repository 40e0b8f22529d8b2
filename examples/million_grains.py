"""A million grains on 1024³ voxels, written to Zarr part by part: the labels are never held in memory.

    python examples/million_grains.py                                # hours; 4 GB of disk, 16 GB of memory estimated
    python examples/million_grains.py --grains 8000 --shape 200      # the same in small

Writes grains.zarr (OME-Zarr, for napari, Neuroglancer or `zarr.open`), the table grains.csv and a picture of a plane.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import microgen
from microgen import Grid, Polycrystal
from microgen.errors import NotConverged
from microgen.io.atomic import atomic_path
from microgen.report import draw_sheet

DETAIL = 256  # voxels along the edge of the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grains", type=int, default=1_000_000)
    parser.add_argument("--shape", type=int, default=1024, help="voxels along each axis")
    parser.add_argument(
        "--tolerance", type=float, default=0.05, help="error of a grain's volume; 1 %% in the mean then"
    )
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()

    grid = Grid((options.shape,) * 3, (1.0,) * 3, periodic=(True,) * 3)
    laws, began = Polycrystal(options.grains, tolerance=options.tolerance), time.perf_counter()
    try:
        sample = laws.stream(grid, seed=0, progress=told(began))
    except NotConverged as error:  # the best there is, which says itself what it missed
        print(error)
        sample = error.best
    for name in ("grains.zarr", "grains.csv"):
        microgen.write(sample, options.out / name, overwrite=True, progress=told(began))
    edge = min(DETAIL, options.shape)
    with atomic_path(options.out / "grains_plane.png", True) as part:
        part.write_bytes(draw_sheet(sample.crop((0, 0, 0), (edge, edge, 1)).section(2, 0), title="a plane"))
    print("\nmean error of a volume", sample.provenance.achieved["volume_error_mean"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.perf_counter() - began:.0f} s, peak {peak:.2f} GiB")


def told(began: float):
    def tell(done: float, text: str) -> None:
        print(f"\r{time.perf_counter() - began:6.0f} s {done:5.0%} {text:70.70s}", end="", flush=True)

    return tell


if __name__ == "__main__":
    main()
