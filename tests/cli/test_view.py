"""`microgen view`: pictures and pages of scans, volumes, level sets and grey values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from microgen_cli import _sites
from PIL import Image

from microgen import read

SCAN = Path(__file__).parents[2] / "data" / "dual_phase.ang"


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_without_a_screen_a_picture_and_a_page_are_written(microgen, sample_folder: Path) -> None:
    done = microgen("view", sample_folder / "rve.vti")
    assert done.code == 0
    assert done.out.split() == ["rve_view.png", "rve_view.html"]
    assert Image.open("rve_view.png").size[0] > 1000
    page = Path("rve_view.html").read_text(encoding="utf-8")
    assert '"ways":["ipf-z"' in page
    assert "24 × 20 × 16 voxels" in page


def test_existing_files_are_kept(microgen, sample_folder: Path) -> None:
    Path("rve_view.png").write_text("mine")
    assert microgen("view", sample_folder / "rve.vti").code == 3
    assert Path("rve_view.png").read_text() == "mine"
    assert microgen("view", sample_folder / "rve.vti", "--overwrite").code == 0


def test_scans_have_their_grains_drawn(microgen) -> None:
    done = microgen("view", SCAN, "--color", "phase", "--out", "a.html", "--json")
    assert done.code == 0
    assert done.json["outputs"] == ["a.html"]
    assert '<img class="lines"' in Path("a.html").read_text(encoding="utf-8")


def test_grey_values_and_level_sets(microgen) -> None:
    u = np.random.default_rng(0).standard_normal((12, 12, 12)).astype(np.float32)
    np.save("u.npy", u)
    assert microgen("view", "u.npy", "--color", "level-set", "--out", "u.html").code == 0
    np.save("g.npy", (40 * (u + 5)).clip(0, 255).astype(np.uint8))
    assert microgen("view", "g.npy", "--color", "grey", "--out", "g.png").code == 0
    assert microgen("view", "g.npy", "--raw-type", "uint8", "--out", "h.png").code == 2


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--color", "ipf-x"], 2, "holds no orientations"),
        (["--color", "level-set"], 2, "one of grain, phase"),
        (["--color", "blue"], 2, "ipf-x"),
        (["--out", "a.gif"], 2, "a page (.html)"),
        (["--out", "nowhere/a.png"], 3, "does not exist"),
        (["--window"], 3, "no screen"),
        (["--threshold", "0"], 2, "--threshold"),
    ],
)
def test_what_cannot_be_shown_is_said(flags: list[str], code: int, words: str, microgen, sample_folder: Path) -> None:
    done = microgen("view", sample_folder / "rve.tif", *flags)
    assert done.code == code
    assert words in done.err
    assert not list(Path().iterdir())


def test_unreadable_files(microgen) -> None:
    assert microgen("view", "nothing.ang").code == 4
    Path("bad.vti").write_bytes(b"<VTKFile")
    assert microgen("view", "bad.vti").code == 4
    assert microgen("view", "table.csv").code == 4


def test_a_table_of_grains_is_drawn_as_the_volume_it_is_of(microgen, sample_folder: Path) -> None:
    of_table = microgen("view", sample_folder / "rve.csv", "--out", "a.html", "--json")
    assert of_table.json["outputs"] == ["a.html"]
    assert "24 × 20 × 16 voxels" in Path("a.html").read_text(encoding="utf-8")
    Path("alone.csv").write_bytes((sample_folder / "rve.csv").read_bytes())  # its provenance stayed behind
    assert np.array_equal(_sites.shown(sample_folder / "rve.csv").grain_id, read(sample_folder / "rve.vti").grain_id)  # type: ignore[arg-type]
    grid = _sites.shown(Path("alone.csv")).grid
    assert np.allclose(grid.lengths, read(sample_folder / "rve.vti").grid.lengths)
    assert 0.9 < grid.size / _sites.MOST_SHOWN < 1.1
    Path("bad.csv").write_text("a,b\n1,2\n")
    assert microgen("view", "bad.csv").code == 4


def test_with_a_screen_a_window_is_opened(microgen, sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from microgen_cli import _look

    seen = []
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(_look, "show_window", lambda ms, way, title: seen.append((ms.grid.shape, way, title)))
    assert microgen("view", sample_folder / "rve.vti", "--color", "grain").code == 0
    assert seen == [((24, 20, 16), "grain", "rve.vti")]
    assert not list(Path().iterdir())
    assert microgen("view", sample_folder / "rve.vti", "--out", "a.png").code == 0
    assert len(seen) == 1
