"""Meshes without gaps of a polycrystal: time, volumes and shapes; beside them gmsh, where it is installed.

python tests/benchmarks/conforming.py [VOXELS ALONG AN AXIS] [GRAINS] [ELEMENT] [--gmsh]
"""

from __future__ import annotations

import sys
import time

from microgen import Grid, Polycrystal
from microgen.io import meshed
from microgen.meshing.tetrahedra import interfaces


def main() -> None:
    numbers = [float(a) for a in sys.argv[1:] if not a.startswith("-")]
    n, grains, element = (*numbers, *(100, 500, 1)[len(numbers) :])
    meshed.smoothed(Polycrystal(5).sample(Grid((16,) * 3, (1.0,) * 3), seed=0))  # compiles
    sample = Polycrystal(int(grains)).sample(Grid((int(n),) * 3, (1.0,) * 3, periodic=(True,) * 3), seed=0)
    begin = time.perf_counter()
    made = meshed.smoothed(sample, element=element)
    surface = interfaces(made.mesh)
    print(f"surface      {time.perf_counter() - begin:6.2f} s, {len(surface.triangles)} triangles")
    for mesher in ("lattice", "gmsh") if "--gmsh" in sys.argv else ("lattice",):
        begin = time.perf_counter()
        found = meshed.filled(made, mesher=mesher)
        print(f"{mesher:8}     {time.perf_counter() - begin:6.2f} s")
        print("\n".join(meshed.lines(found.figures)))


if __name__ == "__main__":
    main()
