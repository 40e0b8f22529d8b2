from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import as_scan, make_sample

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import ipf_color
from microgen.report import painting
from microgen.report.colours import NOT_INDEXED, phase_rgb
from microgen.report.painting import DIRECTIONS, paint, ways_of

TWO = (Phase("Ni"), Phase("Mg", "6/mmm"))
GRID = Grid((9, 8, 7), (1.0,) * 3)


def level_set() -> Microstructure:
    u = np.linspace(-1, 1, 9)[:, None, None] * np.ones(GRID.shape)
    return Microstructure(GRID, np.where(u > 0, 0, -1).astype(np.int16), (Phase("solid"),), level_set=u)


@pytest.mark.parametrize("stored", ["table", "points"])
@pytest.mark.parametrize("way", DIRECTIONS)
def test_grains_have_the_ipf_colours_of_their_orientation(way: str, stored: str) -> None:
    ms = make_sample(GRID, phases=TWO)
    given = ms if stored == "table" else replace(ms, orientation=ms.point_orientation, grains=None)
    shown = paint(given, way).of_points(way)
    for k in range(2):
        mine = ms.phase_id.ravel() == k
        q = ms.point_orientation.reshape(-1, 4)[mine]
        assert (shown[mine] == ipf_color(q, TWO[k].laue_group, DIRECTIONS[way])).all()


def test_phases_have_the_colours_of_the_legend_and_void_is_grey() -> None:
    ms = make_sample(GRID, phases=TWO)
    hole = np.zeros(GRID.shape, bool)
    hole[2:4] = True
    ms = replace(ms, phase_id=np.where(hole, -1, ms.phase_id).astype(np.int16), grain_id=np.where(hole, 0, ms.grain_id))
    painted = paint(ms, "phase")
    shown = painted.of_points("phase").reshape(*GRID.shape, 3)
    assert (shown[hole] == NOT_INDEXED).all()
    assert (shown[~hole & (ms.phase_id == 1)] == phase_rgb(1)).all()
    assert (painted.numbers[hole] == 0).all()


def test_numbers_tell_grain_and_phase() -> None:
    ms = make_sample(GRID, phases=TWO)
    painted = paint(ms)
    assert ms.grain_id is not None
    assert painted.grain_id is not None
    assert painted.phase_id is not None
    assert (painted.grain_id[painted.numbers] == ms.grain_id).all()
    assert (painted.phase_id[painted.numbers] == ms.phase_id).all()
    assert len(np.unique(painted.colours["grain"][1:], axis=0)) == len(painted.grain_id) - 1


def test_points_without_grains_keep_their_colours() -> None:
    scan = as_scan(make_sample(Grid((20, 10), (1.0, 1.0)), phases=TWO))
    painted = paint(scan)
    for k in range(2):
        mine = scan.phase_id.ravel() == k
        assert scan.orientation is not None
        expected = ipf_color(scan.orientation.reshape(-1, 4)[mine], TWO[k].laue_group)
        assert (painted.of_points("ipf-z")[mine] == expected).all()
    assert (painted.of_points("ipf-z")[scan.phase_id.ravel() < 0] == NOT_INDEXED).all()


def test_very_many_colours_become_coarser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "MOST_NUMBERS", 120)
    ms = make_sample(Grid((30, 30), (1.0, 1.0)), grains=200)
    exact = paint(replace(ms, orientation=ms.point_orientation)).of_points("ipf-z").astype(int)
    few = paint(replace(ms, orientation=ms.point_orientation, grain_id=None, grains=None))
    assert 1 < few.numbers.max() <= 120
    assert np.abs(few.of_points("ipf-z").astype(int) - exact).mean() < 60


def test_grey_values_run_from_black_to_white() -> None:
    grey = np.arange(GRID.size, dtype=np.uint16).reshape(GRID.shape)
    shown = paint(Microstructure(GRID, np.full(GRID.shape, -1, np.int16), grey=grey)).of_points("grey").astype(int)
    assert shown[0].tolist() == [0, 0, 0]
    assert shown[-1].tolist() == [255, 255, 255]
    assert (np.diff(shown[:, 0]) >= 0).all()


def test_ways_are_those_the_file_knows() -> None:
    ms = make_sample(GRID)
    assert ways_of(ms) == ("ipf-z", "ipf-x", "ipf-y", "grain", "phase")
    assert ways_of(replace(ms, grains=None)) == ("grain", "phase")
    assert ways_of(level_set()) == ("level-set",)
    with pytest.raises(InvalidParameter, match=r"no orientations; the \.vti"):
        paint(replace(ms, grains=None), "ipf-x")
    with pytest.raises(InvalidParameter, match="one of level-set"):
        paint(level_set(), "grain")
