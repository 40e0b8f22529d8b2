"""`microgen compare A B`: alike, different, of any kind; exit code 5 for what differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "dual_phase.ang"


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small textures: two of one kind."""
    from microgen_cli.main import main

    folder = tmp_path_factory.mktemp("textures")
    for name, preset, seed in (("a", "sponge", 0), ("b", "sponge", 1), ("c", "tubes", 0)):
        flags = ["--preset", preset, "--seed", str(seed), "--shape", "64", "64", "64", "--quiet"]
        assert main(["curvatubes", *flags, f"--out={folder / name}.tif"]) == 0
    return folder


def test_two_samples_of_one_texture_are_alike(textures: Path, microgen) -> None:
    done = microgen("compare", textures / "a.tif", textures / "b.tif", "--json", "--report", "page.html")
    assert done.code == 0, done.err
    assert done.json["verdict"].startswith("alike")
    assert done.json["statistics"]["thickness"]["inside"]
    assert "Are they alike?" in Path("page.html").read_text()


def test_another_texture_differs(textures: Path, microgen) -> None:
    done = microgen("compare", textures / "a.tif", textures / "c.tif")
    assert done.code == 5
    assert "different" in done.out
    assert "volume_fraction" in done.err


def test_a_scan_is_like_itself_and_not_like_a_sample_of_other_laws(microgen) -> None:
    assert microgen("compare", SAMPLE, SAMPLE).out.startswith("alike")
    phases = ["--phases", '{"name": "Ferrite", "fraction": 0.5}', "--phases", '{"name": "Austenite", "fraction": 0.5}']
    made = microgen(
        *("polycrystal", "--grains", 300, "--shape", 64, 64, 64, "--spacing", 0.3, *phases, "--out", "rve.vti")
    )
    assert made.code == 0, made.err
    done = microgen("compare", SAMPLE, "rve.vti", "--json")
    assert done.code == 5
    assert not done.json["statistics"]["equivalent_diameter"]["inside"]


def test_a_scan_and_a_solid_share_nothing(textures: Path, microgen) -> None:
    done = microgen("compare", SAMPLE, textures / "a.tif")
    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_file_that_is_not_there(microgen) -> None:
    assert microgen("compare", SAMPLE, "none.ang").code == 4


def test_a_volume_is_like_itself_in_any_file(microgen) -> None:
    flags = ["--grains", 40, "--shape", 30, 20, 24, "--spacing", "1um", "1.5um", "2um", "--periodic", "xz"]
    assert microgen("polycrystal", *flags, "--out", "b.npz", "--out", "b.vti").code == 0
    for a, b in (("b.npz", "b.npz"), ("b.npz", "b.vti"), ("b.vti", "b.npz")):
        done = microgen("compare", a, b, "--json")
        assert done.code == 0
        assert max(s["distance"] for s in done.json["statistics"].values()) < 1e-6


def test_grains_and_solids_are_not_compared(microgen) -> None:
    flags = ["--grains", 12, "--shape", 16, 16, 16, "--spacing", "1um"]
    assert microgen("polycrystal", *flags, "--out", "a.vti").code == 0
    np.save("solid.npy", np.linspace(-1, 1, 16**3, dtype=np.float32).reshape(16, 16, 16))  # a level set
    done = microgen("compare", "a.vti", "solid.npy", "--spacing", "1um")
    assert done.code == 2
    assert "two files of grains" in done.err
