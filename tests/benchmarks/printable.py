"""Random samples of both families as files to print: STL and 3MF, read back and judged by trimesh and manifold3d.

    python tests/benchmarks/printable.py                 # 60 textures and 8 polycrystals: minutes
    python tests/benchmarks/printable.py --samples 6 --crystals 1
    python tests/benchmarks/printable.py --size 256      # only time and peak memory of one STL of 256³

A file passes when both judges call it closed, manifold3d takes it as a solid, and its volume is within 1 % of the
voxels' (of the parts that were kept).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import manifold3d
import numpy as np
import trimesh

import microgen
from microgen.errors import NotConverged
from microgen.generators.curvature_presets import PRESETS
from microgen.io.printing import Print, make_solid, write_solid
from microgen.io.stl import read_mesh, write_grains

TOLERANCE = 0.01
CORE = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"


@dataclass
class Verdict:
    """What the judges say of one file."""

    name: str
    closed: bool
    solid: bool
    """manifold3d: an oriented 2-manifold."""
    apart: bool
    """manifold3d: the parts do not run into one another."""
    volume_error: float

    @property
    def passes(self) -> bool:
        return self.closed and self.solid and self.apart and abs(self.volume_error) <= TOLERANCE


def judge(name: str, points: np.ndarray, triangles: np.ndarray, expected: float) -> Verdict:
    """Judge a surface in mm, corners as the file has them."""
    mesh = trimesh.Trimesh(points, triangles, process=False)
    closed = mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    body = manifold3d.Manifold(manifold3d.Mesh(points.astype(np.float32), triangles.astype(np.uint32)))
    solid = body.status() == manifold3d.Error.NoError and not body.is_empty()
    # Parts that run into one another lose volume when they are united. (Cavities come as parts inside out.)
    parts = [part for part in body.decompose() if part.volume() > 0]
    united, single = manifold3d.Manifold.batch_boolean(parts, manifold3d.OpType.Add), sum(p.volume() for p in parts)
    apart = solid and abs(united.volume() - single) <= 1e-6 * single
    return Verdict(name, bool(closed), solid, bool(apart), mesh.volume / expected - 1)


def read_3mf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(path) as package:
        root = ElementTree.fromstring(package.read("3D/3dmodel.model"))
    points = [[float(v.get(k, "nan")) for k in "xyz"] for v in root.iter(CORE + "vertex")]
    triangles = [[int(t.get(k, -1)) for k in ("v1", "v2", "v3")] for t in root.iter(CORE + "triangle")]
    return np.array(points), np.array(triangles)


def texture(rng: np.random.Generator) -> tuple[str, microgen.Microstructure] | None:
    """A random preset with another mass, size, voxel and border; None where no texture forms."""
    name = str(rng.choice(list(PRESETS)))
    n, seed = tuple(int(k) for k in rng.integers(36, 65, 3)), int(rng.integers(1000))
    made = microgen.Curvatubes.preset(name)
    made = replace(made, mass=float(np.clip(made.mass + rng.uniform(-0.15, 0.15), -0.95, 0.95)))
    grid = microgen.Grid(n, (float(rng.uniform(5, 50)),) * 3, periodic=tuple(bool(b) for b in rng.integers(0, 2, 3)))
    try:
        return f"{name} {n} mass {made.mass:.2f} seed {seed}", made.sample(grid, seed=seed)
    except NotConverged:
        return None


def judge_texture(name: str, sample: microgen.Microstructure, folder: Path) -> list[Verdict]:
    found = make_solid(sample, Print(min_part=0.0))
    assert sample.level_set is not None
    voxels = np.count_nonzero(sample.level_set > 0) * sample.grid.cell_measure * 1e-9
    files = [folder / "solid.stl", folder / "solid.3mf"]
    for path in files:
        write_solid(found, sample, path, overwrite=True)
    mesh = read_mesh(files[0])
    points, triangles = read_3mf(files[1])
    return [
        judge(f"{name} STL", mesh.points, mesh.triangles, voxels),
        judge(f"{name} 3MF", points, triangles, voxels),
    ]


def judge_crystal(rng: np.random.Generator, folder: Path) -> list[Verdict]:
    """All grains of one random polycrystal."""
    grains, seed = int(rng.integers(20, 120)), int(rng.integers(1000))
    grid = microgen.Grid((48,) * 3, (1.0,) * 3, periodic=(True,) * 3)
    sample = microgen.Polycrystal(grains=grains).sample(grid, seed=seed)
    assert sample.grain_id is not None
    counts = np.bincount(sample.grain_id.ravel(), minlength=grains + 1) * grid.cell_measure * 1e-9
    verdicts = []
    for k, path in enumerate(write_grains(sample, folder / f"grains_{seed}_{grains}").files, 1):
        mesh = read_mesh(path)
        verdicts.append(judge(f"grain {k} of {grains}, seed {seed}", mesh.points, mesh.triangles, counts[k]))
    return verdicts


def tell(title: str, verdicts: list[Verdict]) -> None:
    worst = max((abs(v.volume_error) for v in verdicts), default=0.0)
    passed, failed = sum(v.passes for v in verdicts), [v for v in verdicts if not v.passes]
    print(f"{title}: {passed} of {len(verdicts)} pass; volume off by at most {worst:.2%}")
    for v in failed:
        print(f"  {v.name}: closed {v.closed}, solid {v.solid}, apart {v.apart}, volume {v.volume_error:+.2%}")


def time_stl(n: int, folder: Path) -> None:
    """Seconds and peak memory of the STL of a gyroid-like field of n³; run alone, as peaks never fall."""
    x = np.linspace(0, 2 * np.pi * n / 32, n, endpoint=False, dtype=np.float32)
    s, c = np.sin(x), np.cos(x)
    u = s[:, None, None] * c[:, None] + s[:, None] * c + s * c[:, None, None] - np.float32(0.6)
    sample = microgen.Microstructure(
        microgen.Grid((n,) * 3, (20.0,) * 3), np.where(u > 0, 0, -1).astype(np.int16), level_set=u
    )
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    found = make_solid(sample, Print())
    write_solid(found, sample, folder / "timed.stl", overwrite=True)
    seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"STL of {n}³: {seconds:.1f} s, {found.report.triangles} triangles, {(peak - before) / 1e6:.2f} GB more memory"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--crystals", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.size:
            time_stl(asked.size, folder)
            return
        rng = np.random.default_rng(asked.seed)
        made = [texture(rng) for _ in range(asked.samples)]
        formed = [each for each in made if each is not None]
        print(f"{asked.samples} textures drawn, {asked.samples - len(formed)} of which did not form")
        tell("textures, STL and 3MF", [v for each in formed for v in judge_texture(*each, folder)])
        tell("grains, STL", [v for _ in range(asked.crystals) for v in judge_crystal(rng, folder)])


if __name__ == "__main__":
    main()
