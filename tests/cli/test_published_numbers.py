"""`microgen polycrystal --numbers`: published numbers in place of a scan."""

from __future__ import annotations

from pathlib import Path

import pytest

SMALL = ["--grains", "300", "--shape", "32", "32", "32", "--out", "rve.tif"]


def numbers(text: str) -> None:
    Path("steel.toml").write_text(text, encoding="utf-8")


def test_numbers_are_met_and_told(microgen) -> None:
    numbers("equivalent_diameter = {mean = 12, tolerance = 1}\naspect_ratio = {mean = 1.5, tolerance = 0.1}\n")
    done = microgen("polycrystal", "--numbers", "steel.toml", *SMALL, "--json")
    assert done.code == 0
    assert set(done.json["statistics"]) == {"equivalent_diameter", "aspect_ratio"}
    told = done.json["statistics"]["equivalent_diameter"]
    assert abs(told["achieved"] - 12) <= told["noise_floor_p95"] == 1
    assert "published" in done.err
    again = microgen("rerun", "rve.tif", "--out", "again.tif")
    assert again.code == 0
    assert "identical" in again.out + again.err


def test_what_no_grains_show_is_said_and_the_sample_kept(microgen) -> None:
    numbers("equivalent_diameter = 12\naspect_ratio = {mean = 1.05, tolerance = 0.01}\n")
    done = microgen("polycrystal", "--numbers", "steel.toml", *SMALL)
    assert done.code == 5
    assert "aspect_ratio" in done.err
    assert Path("rve.tif").exists()


def test_members_of_an_ensemble_are_judged_together(microgen) -> None:
    numbers("equivalent_diameter = {mean = 12, tolerance = 1e-6}\n")
    done = microgen("polycrystal", "--numbers", "steel.toml", *SMALL, "--samples", 2, "--json")
    assert (done.code, "could not be met: equivalent_diameter" in done.err) == (5, True)
    each = [row["statistics"]["equivalent_diameter"]["achieved"] for row in done.json["members"]]
    assert len(each) == 2
    assert f"{sum(each) / 2:.4g} µm" in done.err
    assert Path("rve_0002.tif").exists()


def test_a_dry_run_makes_nothing(microgen) -> None:
    numbers("astm_grain_size = 8\n")
    done = microgen("polycrystal", "--numbers", "steel.toml", *SMALL, "--dry-run")
    assert done.code == 0
    assert 'numbers = "steel.toml"' in done.out
    assert not Path("rve.tif").exists()


@pytest.mark.parametrize(
    ("text", "more", "code", "told"),
    [
        ("equivalent_diameter = [", [], 4, "not TOML"),
        ("diameter = 3\n", [], 2, "diameter"),
        ("aspect_ratio = 1.5\n", [], 2, "a size"),
        ("astm_grain_size = 8\n", ["--ebsd", "scan.ang"], 2, "--numbers"),
        ("astm_grain_size = 8\n", ["--fit", "full"], 2, "--fit"),
        ("astm_grain_size = 8\n", ["--shape", "32", "32"], 2, "3 numbers"),
    ],
)
def test_what_cannot_be_is_refused(microgen, text: str, more: list[str], code: int, told: str) -> None:
    numbers(text)
    shape = [] if "--shape" in more else ["--shape", "32", "32", "32"]
    done = microgen("polycrystal", "--numbers", "steel.toml", "--grains", "300", *shape, "--out", "rve.tif", *more)
    assert (done.code, list(Path().glob("rve*"))) == (code, [])
    assert told in done.err


def test_a_missing_file(microgen) -> None:
    done = microgen("polycrystal", "--numbers", "none.toml", *SMALL)
    assert done.code == 4
    assert "none.toml" in done.err
