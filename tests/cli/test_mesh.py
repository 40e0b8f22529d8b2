"""`microgen mesh`: files that close, hold what was asked for, and are refused where they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

import microgen as library
from microgen import Grid, Microstructure, Phase
from microgen.io.surfaces import read_surfaces
from microgen.meshing import is_watertight, volume

N = 24


def gyroid() -> np.ndarray:
    x, y, z = np.meshgrid(*[np.arange(N) * (2 * np.pi / N)] * 3, indexing="ij")
    return (np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A level set, grains, phases, and a µCT of the same solid without the size of a voxel."""
    folder, u, grid = tmp_path_factory.mktemp("made"), gyroid(), Grid((N,) * 3, (500.0,) * 3, periodic=(True,) * 3)
    phase = np.where(u > 0, 0, -1).astype(np.int16)
    library.write(Microstructure(grid, phase, (Phase("solid"),), level_set=u), folder / "gyroid.vti")
    two = np.where(u > 0.5, 0, np.where(u < -0.5, 1, -1)).astype(np.int16)
    library.write(Microstructure(grid, two, (Phase("a"), Phase("b"))), folder / "phases.vti")
    cells = np.kron(np.arange(1, 9, dtype=np.int32).reshape(2, 2, 2), np.ones((N // 2,) * 3, np.int32))
    library.write(
        Microstructure(grid, (cells % 2).astype(np.int16), (Phase("a"), Phase("b")), grain_id=cells),
        folder / "grains.vti",
    )
    noise = np.random.default_rng(0).normal(0, 5, u.shape)
    tifffile.imwrite(folder / "uct.tif", (100 + 40 * u + noise).astype(np.uint8).T, photometric="minisblack")
    return folder


def total(path: Path) -> float:
    bodies = read_surfaces(path).bodies
    assert all(is_watertight(body.mesh) for body in bodies)
    return sum(volume(body.mesh) for body in bodies)


def test_a_level_set_goes_into_every_format(microgen, made: Path) -> None:
    outs = ["a.stl", "a.3mf", "a.ply", "a.obj", "a.glb"]
    done = microgen("mesh", made / "gyroid.vti", *outs, "--density", 2, "--printer", "fdm", "--json")
    assert done.code == 0
    assert done.json["watertight"]
    assert done.json["outputs"] == ["a.stl", "a.3mf", "a.ply", "a.obj", "a.mtl", "a.glb"]
    assert done.json["volume_mm3"] == pytest.approx((gyroid() > 0).sum() * 0.125, rel=1e-3)
    assert [total(Path(name)) for name in outs] == pytest.approx([done.json["volume_mm3"]] * 5, rel=1e-5)
    assert all(word in done.err for word in ("solid  ", " g, ", "walls  ", "overhang  "))
    checked = microgen("check", "a.3mf", "--json", "--density", 2, "--resolution-mm", 0.5)
    assert (checked.code, checked.json["parts"]) == (0, done.json["parts"])


def test_phase_void_and_size(microgen, made: Path) -> None:
    assert microgen("mesh", made / "gyroid.vti", "a.stl", "--phase", -1, "--size-mm", "2.4cm").code == 0
    mesh = read_surfaces("a.stl").bodies[0].mesh
    assert np.ptp(mesh.points, axis=0).max() == pytest.approx(24, rel=1e-5)
    assert volume(mesh) == pytest.approx(8 * (gyroid() < 0).sum() * 0.125, rel=0.02)


def test_tiles_are_one_solid(microgen, made: Path) -> None:
    single = microgen("mesh", made / "gyroid.vti", "a.stl", "--json").json
    done = microgen("mesh", made / "gyroid.vti", "b.stl", "--tile", 2, 1, 3, "--json").json
    assert (done["parts"], done["bbox_mm"]) == (1, pytest.approx([24, 12, 36]))
    assert done["volume_mm3"] == pytest.approx(6 * single["volume_mm3"], rel=0.02)


def test_shell_base_and_tolerance(microgen, made: Path) -> None:
    whole = microgen("mesh", made / "gyroid.vti", "a.stl", "--json").json
    plate = microgen("mesh", made / "gyroid.vti", "b.stl", "--base-mm", "2mm", "--json").json
    assert plate["bbox_mm"][2] == pytest.approx(14)
    assert plate["volume_mm3"] == pytest.approx(whole["volume_mm3"] + 2 * 144, rel=0.03)
    hollow = microgen("mesh", made / "gyroid.vti", "c.stl", "--shell-mm", 0.8, "--json").json
    assert hollow["volume_mm3"] < 0.9 * whole["volume_mm3"]
    assert hollow["min_wall_mm"] == pytest.approx(0.8, abs=0.2)
    coarse = microgen("mesh", made / "gyroid.vti", "d.stl", "--tolerance-mm", 0.4, "--json").json
    assert coarse["triangles"] < 0.8 * whole["triangles"]
    assert [total(Path(f"{name}.stl")) > 0 for name in "abcd"] == [True] * 4


def test_grains_are_objects_or_files_and_can_be_moved_apart(microgen, made: Path) -> None:
    done = microgen("mesh", made / "grains.vti", "a.3mf", "grains", "--each-grain", "--explode", 1.5, "--json")
    assert (done.code, done.json["objects"], done.json["outputs"]) == (0, 8, ["a.3mf", "grains"])
    assert total(Path("a.3mf")) == pytest.approx(12**3, rel=1e-3)
    assert done.json["bbox_mm"] == pytest.approx([15] * 3, rel=1e-3)
    files = sorted(Path("grains").iterdir())
    assert [path.name for path in files] == [f"grain_{k:04d}.stl" for k in range(1, 9)]
    assert total(files[3]) == pytest.approx(216, rel=1e-3)
    some = microgen("mesh", made / "grains.vti", "b.glb", "--each-grain", "--phase", 1, "--json").json
    assert some["objects"] == 4
    hollow = microgen("mesh", made / "grains.vti", "c.3mf", "--shell-mm", 1, "--json").json
    assert hollow["volume_mm3"] == pytest.approx(8 * (216 - 64), rel=0.02)
    round_ = microgen("mesh", made / "grains.vti", "d.ply", "--clip", "sphere", "--json").json
    assert round_["volume_mm3"] == pytest.approx(np.pi / 6 * 12**3, rel=0.02)


def test_phases_are_objects(microgen, made: Path) -> None:
    done = microgen("mesh", made / "phases.vti", "a.obj", "a.glb", "--json")
    assert (done.code, done.json["objects"]) == (0, 2)
    assert [body.name for body in read_surfaces("a.obj").bodies] == ["a", "b"]
    one = microgen("mesh", made / "phases.vti", "b.stl", "--phase", 1, "--min-part", 0, "--json").json
    assert one["volume_mm3"] == pytest.approx((gyroid() < -0.5).sum() * 0.125, rel=0.02)


def test_grey_values_need_a_size(microgen, made: Path) -> None:
    done = microgen("mesh", made / "uct.tif", "--grey-threshold", 100, "--spacing", "500um", "a.stl", "--json")
    assert (done.code, done.json["bbox_mm"]) == (0, pytest.approx([12] * 3))
    sized = microgen("mesh", made / "uct.tif", "b.stl", "--grey-threshold", 100, "--size-mm", 12, "--json")
    assert sized.json["volume_mm3"] == pytest.approx(done.json["volume_mm3"], rel=1e-5)
    assert microgen("mesh", made / "uct.tif", "c.stl").code == 2


@pytest.mark.parametrize("flags", [["--size-mm", "20"], ["--tile", "2", "1", "1", "--shell-mm", "0.9"]])
def test_a_mesh_can_be_made_again(microgen, made: Path, flags: list[str]) -> None:
    assert microgen("mesh", made / "gyroid.vti", "a.3mf", *flags).code == 0
    done = microgen("rerun", "a.3mf")
    assert (done.code, "the surfaces are those of a.3mf" in done.err) == (0, True)
    assert Path("a_rerun.3mf").is_file()


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (["gyroid.vti"], 2, "at least one file"),
        (["gyroid.vti", "a.step"], 2, ".3mf"),
        (["gyroid.vti", "a"], 2, "--each-grain"),
        (["gyroid.vti", "a.stl", "--phase", "7"], 2, "0 (solid)"),
        (["gyroid.vti", "a.stl", "--each-grain"], 2, "--each-grain"),
        (["gyroid.vti", "a.stl", "--shell-mm", "9"], 2, "--shell-mm"),
        (["gyroid.vti", "a.stl", "--shell-mm", "0.1"], 2, "1.5 voxels"),
        (["gyroid.vti", "a.stl", "--explode", "2"], 2, "--explode"),
        (["gyroid.vti", "a.stl", "--explode", "0.5"], 2, "--explode"),
        (["gyroid.vti", "a.stl", "--size-mm", "5", "--scale", "2"], 2, "--size-mm"),
        (["gyroid.vti", "a.stl", "--size-mm", "5 furlong"], 2, "--size-mm"),
        (["gyroid.vti", "a.stl", "--base-mm", "-1"], 2, "base_mm"),
        (["gyroid.vti", "a.stl", "--periodic", "x", "--tile", "1", "2", "1"], 2, "periodic along y"),
        (["gyroid.vti", "a.stl", "--tile", "0", "1", "1"], 2, "--tile"),
        (["gyroid.vti", "a.stl", "--density", "0"], 2, "--density"),
        (["grains.vti", "a.stl"], 2, "--each-grain"),
        (["grains.vti", "a.3mf", "--base-mm", "1"], 2, "--base-mm"),
        (["grains.vti", "a.3mf", "--tile", "2", "1", "1"], 2, "--tile"),
        (["phases.vti", "a.stl"], 2, "--phase"),
        (["plane.vti", "a.stl"], 2, "3-D"),
        (["missing.vti", "a.stl"], 4, "does not exist"),
    ],
)
def test_what_cannot_be_made(microgen, made: Path, argv: list[str], code: int, word: str) -> None:
    if not (made / "plane.vti").is_file():
        library.write(
            Microstructure(Grid((4, 4), (1.0, 1.0)), np.zeros((4, 4), np.int16), (Phase("a"),)), made / "plane.vti"
        )
    done = microgen("mesh", made / argv[0], *argv[1:])
    assert (done.code, word in done.err) == (code, True)
    assert list(Path().iterdir()) == []
