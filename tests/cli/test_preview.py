"""`--preview` of the generators: a picture beside the outputs, a window where there is a screen, a sheet of members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.small_sample import SMALL

TEXTURE = ["--preset", "tubes", "--shape", "24", "24", "24", "--quiet"]


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def colours(path: str) -> int:
    return len(np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0))


def test_a_sample_is_previewed_beside_its_outputs(microgen) -> None:
    Path("sub").mkdir()
    done = microgen("polycrystal", *SMALL, "--quiet", "--preview", "--out", "sub/rve.tif", "--json")
    assert done.code == 0
    assert done.json["outputs"] == ["sub/rve.tif", "sub/rve_preview.png"]
    assert colours("sub/rve_preview.png") > 100
    again = microgen("polycrystal", *SMALL, "--quiet", "--preview", "--out", "sub/other.tif", "--overwrite")
    assert again.code == 0


def test_the_preview_does_not_change_the_run(microgen) -> None:
    assert microgen("polycrystal", *SMALL, "--quiet", "--out", "rve.csv").code == 0
    done = microgen("polycrystal", *SMALL, "--quiet", "--out", "rve.csv", "--resume", "--preview")
    assert done.code == 0
    assert done.out.split() == ["rve.csv"]


def test_a_preview_in_the_way_is_found_before_anything_is_made(microgen) -> None:
    Path("rve_preview.png").write_text("mine")
    assert microgen("polycrystal", *SMALL, "--quiet", "--preview", "--out", "rve.tif").code == 3
    assert Path("rve_preview.png").read_text() == "mine"
    assert not Path("rve.tif").exists()


def test_textures_and_planes(microgen) -> None:
    assert microgen("curvatubes", *TEXTURE, "--preview", "--out", "t.vti").code in (0, 5)
    assert colours("t_preview.png") > 100
    flat = ["--grains", "20", "--shape", "40", "30", "--spacing", "1"]
    assert microgen("polycrystal", *flat, "--quiet", "--preview", "--out", "p.vti").code == 0
    assert colours("p_preview.png") > 50


def test_an_ensemble_has_a_sheet_of_its_members(microgen) -> None:
    few = ["polycrystal", *SMALL, "--quiet", "--out", "rve.vti", "--preview"]
    assert microgen(*few, "--samples", "2").out.split()[-1] == "rve_preview.png"
    both = np.asarray(Image.open("rve_preview.png").convert("L"))
    drawn = np.flatnonzero((both[90:] < 200).any(axis=0))
    assert drawn.min() < 60
    assert drawn.max() > 300
    # Members of an earlier run are read from their files.
    Path("rve_0002.vti").unlink()
    Path("rve_0002.vti.json").unlink()
    assert microgen(*few, "--samples", "2", "--resume").code == 0
    assert np.array_equal(np.asarray(Image.open("rve_preview.png").convert("L")) < 200, both < 200)
    assert microgen(*few, "--samples", "2", "--member", "1", "--overwrite").out.split()[-1] == "rve_0001_preview.png"


def test_with_a_screen_a_window_opens_when_all_is_written(microgen, monkeypatch: pytest.MonkeyPatch) -> None:
    from microgen_cli import _look

    seen = []
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(_look, "show_window", lambda ms, title: seen.append((title, Path("rve.tif").exists())))
    assert microgen("polycrystal", *SMALL, "--quiet", "--preview", "--out", "rve.tif").out.split() == ["rve.tif"]
    assert seen == [("rve", True)]
