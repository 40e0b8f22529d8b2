"""`microgen describe`: numbers of any readable material."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def foam(tmp_path: Path) -> Path:
    """A gyroid as a level set."""
    x, y, z = np.meshgrid(*[np.arange(24) * np.pi / 12] * 3, indexing="ij")
    u = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    np.save(tmp_path / "foam.npy", u.astype(np.float32))
    return tmp_path / "foam.npy"


def test_level_set(microgen, foam: Path) -> None:
    done = microgen("describe", foam, "--periodic", "xyz", "--spacing", "2um", "--json")
    found = done.json["statistics"]
    assert (done.code, found["euler_number"]) == (0, -4)
    assert found["connectivity_density"] == pytest.approx(5 / 48**3)
    assert found["specific_surface"] == pytest.approx(3.0965 / 48, rel=0.01)
    assert {"mean", "sd", "n"} <= set(found["thickness"])
    assert found["thickness"]["n"] + found["separation"]["n"] == 24**3
    assert done.json["curves"]["two_point_correlation"]["unit"] == "µm"
    assert done.json["grid"] == {"shape": [24] * 3, "spacing_um": [2.0] * 3, "periodic": [True] * 3}


def test_reader_sees_lines_and_the_table_has_curves(microgen, foam: Path) -> None:
    done = microgen("describe", foam, "--out", "table.csv")
    assert "thickness" in done.out
    assert "no voxel size" in done.err
    rows = list(csv.DictReader(Path("table.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["unit"] for row in rows if row["name"] == "connectivity_density"} == {"1/µm³"}
    curve = [float(row["value"]) for row in rows if row["name"] == "lineal_path_x"]
    assert len(curve) == 24
    assert curve == sorted(curve, reverse=True)


def test_threshold_moves_the_surface(microgen, foam: Path) -> None:
    found = microgen("describe", foam, "--threshold", "0.5", "--json", "--quiet").json["statistics"]
    assert found["volume_fraction"] < 0.4
    assert "kappa_1" in found


def test_grains(microgen, sample_folder: Path) -> None:
    found = microgen("describe", sample_folder / "rve.vti", "--json").json["statistics"]
    assert found["grains"] == 20
    assert found["equivalent_diameter"]["n"] == found["interior_grains"]
    assert 0 < found["boundary_misorientation"]["mean"] < 1.1  # of orientations at points: .vti has no table of grains


def test_scan_is_segmented(microgen) -> None:
    found = microgen("describe", ROOT / "data" / "dual_phase.ang", "--json").json["statistics"]
    assert found["boundary_misorientation"]["unit"] == "rad"
    assert found["phase_fraction_Ferrite"] + found["phase_fraction_Austenite"] == pytest.approx(1)


def test_phase_of_a_scan(microgen) -> None:
    done = microgen("describe", ROOT / "data" / "dual_phase.ang", "--json", "--phase", 1)
    shares = microgen("describe", ROOT / "data" / "dual_phase.ang", "--json").json["statistics"]
    assert done.json["statistics"]["volume_fraction"] == pytest.approx(shares["phase_fraction_Ferrite"], abs=1e-6)


def test_grey_picture_needs_a_threshold(microgen, tmp_path: Path) -> None:
    import tifffile

    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 12), np.uint8)
    tifffile.imwrite(tmp_path / "grey.tif", noise)
    done = microgen("describe", "grey.tif")
    assert (done.code, "--threshold" in done.err) == (2, True)
    found = microgen("describe", "grey.tif", "--threshold", "otsu", "--json").json["statistics"]
    assert found["volume_fraction"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--threshold", "soft"], 2, "a number, otsu"),
        (["--threshold", "9"], 2, "from -1.5"),
        (["--phase", "3"], 2, "one of [0]"),
        (["--out", "table.xlsx"], 2, "NAME.csv"),
        (["--out", "missing/table.csv"], 3, "missing"),
        (["--spacing", "-1"], 2, "positive length"),
        (["--periodic", "xq"], 2, "xyz"),
    ],
)
def test_bad_flags(microgen, foam: Path, flags: list[str], code: int, words: str) -> None:
    done = microgen("describe", foam, *flags)
    assert done.code == code
    assert words in done.err


def test_table_is_kept_unless_told(microgen, foam: Path) -> None:
    Path("table.csv").write_text("mine")
    assert microgen("describe", foam, "--out", "table.csv").code == 3
    assert Path("table.csv").read_text() == "mine"
    assert microgen("describe", foam, "--out", "table.csv", "--overwrite").code == 0


@pytest.mark.parametrize("name", ["none.npy", "empty"])
def test_missing_files_and_empty_folders(microgen, name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert microgen("describe", name).code == 4


def test_bones(microgen, real_data: Path) -> None:
    shrew = microgen("describe", real_data / "uct" / "boneJ_Shrew.nrrd", "--json").json["statistics"]
    assert shrew["volume_fraction"] == pytest.approx(0.2935, abs=1e-4)
    assert 40 < shrew["thickness"]["mean"] < 80
    assert 1e-7 < shrew["connectivity_density"] < 1e-6


@pytest.mark.parametrize("spacing", ["1um", "0.7um"])
def test_misorientations_are_counted_by_pairs_of_grains(spacing: str, microgen) -> None:
    flags = ["--grains", 12, "--shape", 16, 16, 16, "--spacing", spacing]
    assert microgen("polycrystal", *flags, "--out", "a.npz").code == 0
    found = microgen("describe", "a.npz", "--json", "--quiet").json["statistics"]
    assert found["boundary_misorientation"]["n"] <= 12 * 11 / 2
