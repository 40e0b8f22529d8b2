from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import as_scan, make_sample
from test_page import Reader
from test_painting import level_set

from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure, Phase
from microgen.report import render_viewer, viewer, window
from microgen.report.map_script import MAP_SCRIPT
from microgen.report.volume_script import SHADER, VOLUME_SCRIPT

GRID = Grid((12, 10, 8), (0.5, 0.5, 1.0))


def data_of(page: str) -> dict[str, Any]:
    script = page[page.index("const DATA=") + len("const DATA=") :]
    return json.JSONDecoder().raw_decode(script)[0]


def values_of(page: str) -> np.ndarray:
    """What the graphics card gets, [x, y, z]."""
    data = data_of(page)
    raw = zlib.decompress(base64.b64decode(data["values"]))
    return np.frombuffer(raw, "<u2" if data["wide"] else "u1").reshape(data["shape"][::-1]).T


def pages() -> dict[str, str]:
    evil = (Phase("</script><u>"), Phase("b", "6/mmm"))
    sample = make_sample(GRID, phases=evil)
    return {
        "grains": render_viewer(sample, title="<b>"),
        "level set": render_viewer(level_set()),
        "map": render_viewer(as_scan(make_sample(Grid((40, 30), (0.5, 0.5)), phases=evil))),
        "hexagons": render_viewer(as_scan(make_sample(HexGrid((21, 19), 0.2)))),
    }


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


@pytest.mark.parametrize("name", ["grains", "level set", "map", "hexagons"])
def test_the_page_is_one_file_that_fetches_nothing(made: dict[str, str], name: str) -> None:
    read = Reader(made[name].replace("<input", "<img").replace("<line", "<img"))
    assert not re.search(r"https?:|url\(|@import|//cdn", made[name])
    assert not {"link", "iframe", "object", "u"} & set(read.tags)
    assert all(address.startswith("data:image/png;base64,") for address in read.addresses)
    assert made[name].count("<script") == made[name].count("</script>") == 1


def test_the_numbers_of_the_file_reach_the_card() -> None:
    ms = make_sample(GRID, phases=(Phase("a"), Phase("b")))
    page = render_viewer(ms)
    data, values = data_of(page), values_of(page)
    assert (np.array(data["grain"])[values] == ms.grain_id).all()
    assert (np.array(data["phase"])[values] == ms.phase_id).all()
    assert data["lengths"] == list(GRID.lengths)
    assert data["ways"][0] == "ipf-z"
    colours = np.frombuffer(base64.b64decode(data["colours"]["phase"]), np.uint8).reshape(-1, 3)
    assert len(colours) == len(data["grain"])


def test_a_level_set_keeps_its_sign() -> None:
    ms = level_set()
    page = render_viewer(ms)
    assert data_of(page)["field"]
    assert ms.level_set is not None
    assert ((values_of(page) > 127) == (ms.level_set > 0)).all()


def test_a_mask_is_shown_as_a_solid() -> None:
    u = np.random.default_rng(0).standard_normal(GRID.shape)
    ms = Microstructure(GRID, np.where(u > 0, 0, -1).astype(np.int16), (Phase("bone"),))
    page = render_viewer(ms)
    assert data_of(page)["field"]
    assert ((values_of(page) > 127) == (u > 0)).all()


def test_large_volumes_are_thinned_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "MOST_VOXELS", 200)
    ms = make_sample(GRID)
    page = render_viewer(ms)
    assert np.prod(data_of(page)["shape"]) <= 200
    assert data_of(page)["lengths"] == pytest.approx(list(GRID.lengths))
    assert "Every second voxel along each axis is shown; the file holds 12 × 10 × 8." in page
    shown, factor = viewer.thinned(ms)
    assert factor == 2
    assert ms.grain_id is not None
    assert shown.grain_id is not None
    assert (shown.grain_id == ms.grain_id[1::2, 1::2, 1::2]).all()


def test_more_grains_than_two_bytes_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "MOST_NUMBERS", 5)
    page = render_viewer(make_sample(GRID, grains=12))
    assert "More than 5 grains" in page
    assert data_of(page)["grain"] is None


def test_the_page_is_bounded() -> None:
    rng = np.random.default_rng(0)
    grid = Grid((164, 160, 160), (1.0,) * 3)
    noise = rng.integers(1, 60_000, grid.shape).astype(np.int32)
    page = render_viewer(Microstructure(grid, np.zeros(grid.shape, np.int16), (Phase("a"),), noise))
    assert data_of(page)["shape"] == [82, 80, 80]
    assert len(page) < 13e6


def test_the_first_colouring_is_the_one_asked_for() -> None:
    assert data_of(render_viewer(make_sample(GRID), way="grain"))["ways"][0] == "grain"


@pytest.mark.parametrize("script", [VOLUME_SCRIPT, MAP_SCRIPT])
def test_the_scripts_parse(script: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    file = tmp_path / "viewer.js"
    file.write_text("const DATA={};" + script)
    done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("script", "body"), [(VOLUME_SCRIPT, "VOLUME_BODY"), (MAP_SCRIPT, "MAP_BODY")])
def test_scripts_find_all_their_elements(script: str, body: str) -> None:
    asked = set(re.findall(r"\$\('([a-z-]+)'\)", script))
    assert asked <= set(re.findall(r'id="([a-z-]+)"', getattr(viewer, body)))


def test_every_uniform_of_the_shader_is_set() -> None:
    names = {n.strip() for line in re.findall(r"uniform \w+ ([^;]+);", SHADER) for n in line.split(",")}
    assert names == set(re.findall(r"at\('(\w+)'\)", VOLUME_SCRIPT))


def test_no_window_without_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    from microgen.errors import EnvironmentProblem

    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not window.has_screen()
    with pytest.raises(EnvironmentProblem, match="no screen"):
        window.show_window(make_sample(GRID))
    monkeypatch.setenv("DISPLAY", ":0")
    assert window.has_screen()


def test_a_grain_map_has_lines_that_can_be_put_off() -> None:
    segmented = make_sample(Grid((40, 30), (0.5, 0.5)))
    scan = replace(as_scan(segmented), grain_id=segmented.grain_id)
    assert '<img class="lines"' in render_viewer(scan)
    assert '<img class="lines"' not in render_viewer(as_scan(segmented))
