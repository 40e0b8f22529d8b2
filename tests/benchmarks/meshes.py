"""Random samples of both families in every mesh format, as trimesh reads the files back: closed for it and manifold3d?

    python tests/benchmarks/meshes.py                # 200 samples, half of each family: about an hour on two cores
    python tests/benchmarks/meshes.py --samples 20
    python tests/benchmarks/meshes.py --first 120     # go on after 120 samples: each draws its own random numbers
    python tests/benchmarks/meshes.py --size 128     # only the time of one STL, of a gyroid with noise

A file passes when each object in it, as trimesh loads it, is closed and oriented, encloses a positive volume, and is a
solid for manifold3d; and all of them together have the volume of the voxels to 1 %. Each sample is also made in one
random way of shaping: hollow, on a plate, tiled, clipped, of another tolerance, taken apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import manifold3d
import numpy as np
import trimesh

import microgen
from microgen.errors import InvalidParameter, NotConverged, NotPrintable
from microgen.generators.curvature_presets import PRESETS
from microgen.io.assembly import grain_assembly, tiled, write_folder
from microgen.io.printing import Print, make_solid, write_solid
from microgen.io.surfaces import read_surfaces, write_surfaces
from microgen.meshing.crossings import crossing

FORMATS = (".stl", ".3mf", ".ply", ".obj", ".glb")
TOLERANCE = 0.01


def texture(rng: np.random.Generator) -> microgen.Microstructure | None:
    """A random preset with another mass, size, voxel and border; None where no texture forms."""
    made = microgen.Curvatubes.preset(str(rng.choice(list(PRESETS))))
    made = replace(made, mass=float(np.clip(made.mass + rng.uniform(-0.15, 0.15), -0.95, 0.95)))
    shape, periodic = tuple(int(k) for k in rng.integers(25, 41, 3)), tuple(bool(b) for b in rng.integers(0, 2, 3))
    grid = microgen.Grid(shape, (float(rng.uniform(5, 50)),) * 3, periodic=periodic)
    try:
        return made.sample(grid, seed=int(rng.integers(1000)))
    except NotConverged:
        return None


def crystal(rng: np.random.Generator) -> microgen.Microstructure:
    shape = tuple(int(k) for k in rng.integers(16, 33, 3))
    grid = microgen.Grid(
        shape, (float(rng.uniform(0.2, 5)),) * 3, periodic=tuple(bool(b) for b in rng.integers(0, 2, 3))
    )
    made = microgen.Polycrystal(grains=int(rng.integers(5, 40)))
    try:
        return made.sample(grid, seed=int(rng.integers(1000)))
    except NotConverged as error:
        return error.best  # pyright: ignore[reportReturnType]


def judge(path: Path, expected: float | None) -> str:
    """Empty when the file passes, else why not."""
    scene = trimesh.load_scene(path)
    found = list(scene.geometry.values())
    if path.suffix == ".ply" and len(bodies := read_surfaces(path).bodies) > 1:  # trimesh makes one of all objects
        found = [trimesh.Trimesh(body.mesh.points, body.mesh.triangles, process=False) for body in bodies]
    factor = 1e9 if path.suffix == ".glb" else 1.0
    volumes = []
    for mesh in found:
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
        if not (mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0):
            return "open for trimesh"
        solid = manifold3d.Manifold(manifold3d.Mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)))
        if solid.status() != manifold3d.Error.NoError or solid.is_empty():
            return f"no solid for manifold3d ({solid.status().name})"
        volumes.append(mesh.volume * factor)
    off = 0.0 if expected is None else sum(volumes) / expected - 1
    return f"volume off by {off:+.2%}" if abs(off) > TOLERANCE else ""


def shaped(rng: np.random.Generator, side: float, h: float) -> tuple[str, Print]:
    """One random way of shaping; `side` and `h` in mm."""
    kinds = {
        "hollow": Print(shell_mm=float(rng.uniform(1.6, 3.5)) * h),
        "plate": Print(base_mm=float(rng.uniform(0.02, 0.3)) * side, min_part=0.0),
        "clip": Print(clip=str(rng.choice(["cylinder", "sphere"])), min_part=float(rng.choice([0.0, 1.0]))),
        "tolerance": Print(tolerance_mm=float(rng.uniform(0.05, 1.5)) * h, min_part=0.0),
        "tiled": Print(min_part=0.0),
    }
    name = str(rng.choice(list(kinds)))
    return name, kinds[name]


def try_texture(sample: microgen.Microstructure, rng: np.random.Generator, folder: Path) -> dict[str, str]:
    found = make_solid(sample, Print(min_part=0.0))
    voxels = np.count_nonzero(sample.phase_id >= 0) * sample.grid.cell_measure * 1e-9
    verdicts = {"crossing": str(len(crossing(found.mesh.points, found.mesh.triangles)))}  # pyright: ignore[reportArgumentType]
    for suffix in FORMATS:
        write_solid(found, sample, folder / f"a{suffix}", overwrite=True)
        verdicts[suffix] = judge(folder / f"a{suffix}", voxels)
    name, options = shaped(rng, min(sample.grid.lengths) / 1000, sample.grid.spacing[0] / 1000)
    if name == "tiled":
        sample = tiled(sample, tuple(2 if wraps else 1 for wraps in sample.grid.periodic))  # pyright: ignore
    try:
        write_solid(make_solid(sample, options), sample, folder / "b.stl", overwrite=True)
    except InvalidParameter:  # nothing as deep as the wall
        return verdicts
    except NotPrintable as error:
        return verdicts if "nothing solid" in str(error) else verdicts | {name: f"refused ({error})"}  # clipped away
    return verdicts | {name: judge(folder / "b.stl", None)}


def try_crystal(sample: microgen.Microstructure, rng: np.random.Generator, folder: Path) -> dict[str, str]:
    made = grain_assembly(sample, Print(), progress=lambda *_: None)
    verdicts, voxels = {}, sample.grid.size * sample.grid.cell_measure * 1e-9
    for suffix in FORMATS[1:]:
        write_surfaces(made.bodies, sample, folder / f"a{suffix}", overwrite=True)
        verdicts[f"grains {suffix}"] = judge(folder / f"a{suffix}", voxels)
    files = sorted(write_folder(made.bodies, sample, folder / "grains", overwrite=True).iterdir())
    verdicts["grains .stl"] = "; ".join(filter(None, (judge(path, None) for path in files)))
    options = Print(shell_mm=1.6e-3 * sample.grid.spacing[0]) if rng.random() < 0.5 else Print()
    apart = grain_assembly(sample, options, explode=float(rng.uniform(1, 2)), progress=lambda *_: None)
    write_surfaces(apart.bodies, sample, folder / "b.3mf", overwrite=True)
    return verdicts | {"exploded": judge(folder / "b.3mf", None)}


def time_stl(n: int, folder: Path) -> None:
    """Seconds to mesh and write a noisy gyroid of n³."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 2 * np.pi * n / 32, n, endpoint=False, dtype=np.float32)
    s, c = np.sin(x), np.cos(x)
    u = s[:, None, None] * c[:, None] + s[:, None] * c + s * c[:, None, None] - np.float32(0.6)
    u += rng.normal(0, 0.05, u.shape).astype(np.float32)
    grid = microgen.Grid((n,) * 3, (20.0,) * 3)
    sample = microgen.Microstructure(grid, np.where(u > 0, 0, -1).astype(np.int16), level_set=u)
    began = time.perf_counter(), time.process_time()
    found = make_solid(sample, Print())
    write_solid(found, sample, folder / "timed.stl", overwrite=True)
    wall, used = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"STL of {n}³: {wall:.1f} s ({used:.1f} s of CPU), {found.report.triangles} triangles")
    print(f"judged: {judge(folder / 'timed.stl', found.report.volume_mm3) or 'closed and solid'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=0)
    asked = parser.parse_args()
    tried, passed, crossings = Counter(), Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.size:
            time_stl(asked.size, folder)
            return
        for k in range(asked.first, asked.samples):
            rng = np.random.default_rng((asked.seed, k))
            made = texture(rng) if k % 2 else crystal(rng)
            while made is None:
                made = texture(rng)
            verdicts = try_texture(made, rng, folder) if k % 2 else try_crystal(made, rng, folder)
            crossings += [int(verdicts.pop("crossing"))] if "crossing" in verdicts else []
            tried.update(list(verdicts))
            passed.update(what for what, verdict in verdicts.items() if not verdict)
            for what, verdict in verdicts.items():
                if verdict:
                    print(f"  sample {k}, {what}: {verdict}", flush=True)
            if k % 10 == 9:
                print(f"after {k + 1} samples: {sum(passed.values())} of {sum(tried.values())} pass", flush=True)
    for what in sorted(tried):
        print(f"{what}: {passed[what]} of {tried[what]} pass")
    print(f"all: {sum(passed.values())} of {sum(tried.values())} pass")
    some = sum(count > 0 for count in crossings)
    print(f"textures with triangles that cross: {some} of {len(crossings)}, at most {max(crossings, default=0)} pairs")


if __name__ == "__main__":
    main()
