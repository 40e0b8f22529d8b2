"""`microgen polycrystal` from chosen laws: flags, outputs, JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import read, read_provenance
from tests.cli.conftest import SMALL


def test_outputs_have_grid_grains_and_provenance(sample_folder: Path) -> None:
    sample = read(sample_folder / "rve.tif")
    assert sample.grid.shape == (24, 20, 16)
    assert sample.grid.spacing == (0.5, 0.5, 0.5)
    assert sample.grid.periodic == (True, True, False)
    assert sorted(np.unique(sample.grain_id)) == list(range(1, 21))
    made = read_provenance(sample_folder / "rve.tif")
    assert (made.command, made.seed, made.configuration["grains"]) == ("polycrystal", 0, 20)


def test_json_has_the_fields_of_the_contract(microgen) -> None:
    done = microgen("polycrystal", *SMALL, "--out", "a.tif", "--json", "--seed", 3)
    assert done.code == 0
    result = done.json
    assert {"command", "version", "seed", "device", "seconds", "outputs", "grid"} <= set(result)
    assert {"solve", "write", "total"} <= set(result["seconds"])
    assert result["grid"] == {"shape": [24, 20, 16], "spacing_um": [0.5] * 3, "periodic": [True, True, False]}
    assert result["grains"] == 20
    assert result["outputs"] == ["a.tif"]
    names = "volume_error_max volume_error_mean volume_error_max_400 subvoxel_error_max grains_below_400 island_voxels"
    assert all(result[name] is not None for name in names.split())


def test_stdout_is_paths_and_stderr_the_rest(microgen) -> None:
    done = microgen("polycrystal", *SMALL, "--out", "a.tif", "--out", "a.csv")
    assert done.out.splitlines() == ["a.tif", "a.csv"]
    assert "20 grains on 24 x 20 x 16 voxels of 0.5 µm" in done.err


def test_quiet_says_nothing(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--out", "a.tif", "--quiet").err == ""


def test_nested_flags_reach_the_laws(microgen) -> None:
    flags = ["--size.cv", 0.2, "--aspect-ratio.mean", 1.5, "--fabric.axis", 0, 0, 1, "--texture.kernel", "10deg"]
    assert microgen("polycrystal", *SMALL, *flags, "--out", "a.tif").code == 0
    made = read_provenance(Path("a.tif")).configuration
    assert (made["size"]["cv"], made["aspect_ratio"]["mean"], made["fabric"]["axis"]) == (0.2, 1.5, [0, 0, 1])
    assert made["texture"]["kernel"] == pytest.approx(np.pi / 18)


def test_configuration_file_is_overruled_by_flags(microgen) -> None:
    text = 'grains = 10\nshape = [16, 16, 16]\nspacing = "500nm"\n[size]\ncv = 0.1\n'
    phases = '[[phases]]\nname = "a"\nfraction = 0.25\n[[phases]]\nname = "b"\nfraction = 0.75\n'
    Path("run.toml").write_text(text + phases)
    assert microgen("polycrystal", "--config", "run.toml", "--grains", 12, "--out", "a.tif").code == 0
    made = read_provenance(Path("a.tif")).configuration
    assert (made["grains"], made["size"]["cv"], made["grid"]["spacing"]) == (12, 0.1, [0.5] * 3)
    assert [p["fraction"] for p in made["phases"]] == [0.25, 0.75]


def test_dry_run_makes_nothing_and_its_toml_makes_the_same(microgen) -> None:
    dry = microgen("polycrystal", *SMALL, "--size.cv", 0.2, "--out", "a.tif", "--dry-run")
    assert dry.code == 0
    assert not Path("a.tif").exists()
    assert "memory    about" in dry.out
    Path("run.toml").write_text(dry.out)
    assert microgen("polycrystal", "--config", "run.toml").code == 0
    assert microgen("polycrystal", *SMALL, "--size.cv", 0.2, "--out", "b.tif").code == 0
    assert np.array_equal(read(Path("a.tif")).grain_id, read(Path("b.tif")).grain_id)  # type: ignore[arg-type]


def test_two_numbers_make_a_plane(microgen) -> None:
    assert microgen("polycrystal", "--grains", 12, "--shape", 40, 30, "--out", "a.tif", "--out", "a.csv").code == 0
    assert read(Path("a.tif")).grid.shape == (40, 30)
    assert "a_xz" not in Path("a.csv").read_text().splitlines()[1]


def test_any_three_give_the_fourth(microgen) -> None:
    flags = ["--shape", 24, 24, 24, "--spacing", 1, "--size.mean", 10]
    grains = microgen("polycrystal", *flags, "--out", "a.tif", "--json").json["grains"]
    assert grains == pytest.approx(24**3 / (np.pi / 6 * 10**3 * (1 + 0.35**2) ** 3), abs=1)


def test_missed_tolerance_is_5_and_the_best_is_kept(microgen) -> None:
    done = microgen(
        "polycrystal", "--grains", 30, "--shape", 12, 12, 12, "--tolerance", 1e-9, "--out", "a.tif", "--json"
    )
    assert done.code == 5
    assert done.json["outputs"] == ["a.tif"]
    assert read(Path("a.tif")).grid.shape == (12, 12, 12)
    assert "off by up to" in done.err


def test_resume_keeps_a_finished_run_and_refuses_another(microgen) -> None:
    run = ["polycrystal", *SMALL, "--out", "a.tif"]
    assert microgen(*run).code == 0
    before = Path("a.tif").stat().st_mtime_ns
    assert microgen(*run, "--resume").code == 0
    assert Path("a.tif").stat().st_mtime_ns == before
    assert microgen(*run, "--resume", "--seed", 1).code == 3
    assert Path("a.tif").stat().st_mtime_ns == before


def test_resume_never_replaces_what_others_made(microgen) -> None:
    Path("a.tif").write_text("mine")
    assert microgen("polycrystal", *SMALL, "--out", "a.tif", "--resume").code == 3
    assert Path("a.tif").read_text() == "mine"


def test_report_is_one_page(microgen) -> None:
    pytest.importorskip("microgen.descriptors.grains")
    assert microgen("polycrystal", *SMALL, "--report", "pages").code == 0
    text = Path("pages/report.html").read_text(encoding="utf-8")
    assert text.count("<html") == 1
    assert 'src="http' not in text


def test_each_grain_gets_its_stl(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--stl-grains", "grains").code == 0
    assert len(list(Path("grains").glob("*.stl"))) == 20


def test_unknown_format_name_is_refused(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--out", "a.tif", "--format", "holograph").code == 2
