"""`microgen interpolate A B`: what serves as an end, what is written, made again, and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import microgen as library
from microgen import Grid, Microstructure, Phase


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small samples of other numbers of grains, and a plane of bare labels."""
    from microgen_cli.main import main

    folder = tmp_path_factory.mktemp("ends")
    for name, grains in (("a", 12), ("b", 10)):
        outs = [f"--out={folder / name}{suffix}" for suffix in (".tif", ".csv", ".npz")]
        flags = ["--grains", str(grains), "--shape", "20", "20", "16", "--spacing", "1um", "--quiet"]
        assert main(["polycrystal", *flags, *outs]) == 0
    x, y = np.indices((24, 18)) // 9
    labels = (2 * x + y + 1).astype(np.int32)
    plane = Microstructure(Grid((24, 18), (1.0, 1.0)), np.zeros((24, 18), np.int16), (Phase("x"),), labels)
    library.write(plane, folder / "plane.tif")
    return folder


@pytest.mark.parametrize(("a", "b"), [("a.npz", "b.csv"), ("a.tif", "b.npz")])
def test_every_step_is_written_and_the_ends_are_the_inputs(a: str, b: str, folder: Path, microgen) -> None:
    done = microgen("interpolate", folder / a, folder / b, "--steps", 3, "--json")
    assert done.code == 0, done.err
    assert done.json["outputs"] == ["a_to_b_1.tif", "a_to_b_2.tif", "a_to_b_3.tif", "a_to_b.png"]
    for name, end in (("a_to_b_1.tif", "a.tif"), ("a_to_b_3.tif", "b.tif")):
        assert np.array_equal(library.read(name).grain_id, library.read(folder / end).grain_id)  # type: ignore[arg-type]
    assert len(done.json["matching"]["deaths"]) == 2
    assert done.json["matching"]["births"] == []
    assert [step["grains"] for step in done.json["steps"]] == [12, 12, 10]
    assert all(step["volume_error_max_400"] <= 0.01 for step in done.json["steps"])
    assert "deaths    2 grains of A" in done.err
    again = microgen("rerun", "a_to_b_2.tif", "--json")
    assert again.code == 0, again.err
    assert again.json["identical"] is True


def test_bare_maps_get_a_diagram_and_tables_are_sources_again(folder: Path, microgen) -> None:
    done = microgen("interpolate", folder / "plane.tif", folder / "plane.tif", "--steps", 2, "--out", "p.png")
    assert done.code == 0, done.err
    assert done.out == "p.png\n"
    assert "a diagram fitted to it, 0.00% of the points differ" in done.err
    done = microgen("interpolate", folder / "plane.tif", folder / "plane.tif", "--steps", 2, "--out", "s.csv", "--json")
    assert done.json["matching"]["distance"] == pytest.approx(0, abs=1e-9)
    shutil.copy("s_1.csv", "t.csv")
    assert microgen("polycrystal", "--sites", "t.csv", "--shape", 50, 50, "--out", "t.tif").code == 0


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["a.npz", "plane.tif"], 2),
        (["a.npz", "none.tif"], 4),
        (["a.npz", "b.npz", "--steps", 1], 2),
        (["a.npz", "b.npz", "--tolerance", 0], 2),
        (["a.npz", "b.npz", "--shape", 8, 8], 2),
        (["a.npz", "b.npz", "--out", "x.xyz"], 2),
        (["a.npz", "b.npz", "--out", "there.png"], 3),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(flags, code, folder: Path, microgen) -> None:
    Path("there.png").touch()
    names = [folder / f if str(f).endswith((".npz", ".tif")) else f for f in flags]
    done = microgen("interpolate", *names)
    assert done.code == code, done.err
    assert [p.name for p in Path().iterdir()] == ["there.png"]


def test_grains_with_void_are_no_end_of_a_way(folder: Path, microgen) -> None:
    flags = ("--grains", 8, "--shape", 16, 16, 16, "--void", 0.3)
    assert microgen("polycrystal", *flags, "--out", "v.npz").code == 0
    done = microgen("interpolate", "v.npz", folder / "a.npz", "--out", "p.tif")
    assert done.code == 2
    assert "void 0.3" in done.err


def test_a_step_that_misses_its_volumes_is_written_and_told(folder: Path, microgen, monkeypatch) -> None:
    monkeypatch.setattr("microgen.generators.solve.REPEATS", 1)
    flags = ("--steps", 3, "--shape", 24, 24, 20, "--tolerance", 1e-6, "--out", "m.npz")
    done = microgen("interpolate", folder / "a.npz", folder / "b.npz", *flags)
    assert done.code == 5
    assert "t = 0.5" in done.err
    assert Path("m_2.npz").exists()
