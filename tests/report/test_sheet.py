from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from made_up import as_scan, make_sample
from PIL import Image
from test_painting import level_set

from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.report import contact_sheet, draw_sheet
from microgen.report.colours import phase_rgb
from microgen.report.painting import paint
from microgen.report.sheet import MOST_TILES, WIDTH, map_of, view


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.size[0] == WIDTH
    return np.asarray(image.convert("RGB")).astype(int)


def share(shown: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(shown - np.array(colour)).max(-1) <= 1).mean())


def halves() -> Microstructure:
    """Two grains of two phases: one for x in the lower half, one above."""
    grid = Grid((20, 20, 20), (1.0,) * 3)
    grain = np.ones(grid.shape, np.int32)
    grain[10:] = 2
    table = Grains(np.array([0, 1]), np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0]]), np.array([4000.0, 4000.0]))
    return Microstructure(grid, (grain - 1).astype(np.int16), (Phase("a"), Phase("b")), grain, grains=table)


def test_slices_have_the_colours_of_their_halves() -> None:
    ms = halves()
    painted = paint(ms, "phase")
    shown = map_of(ms.section(2, 10), replace(painted, numbers=painted.numbers[:, :, 10]), "phase", pixels=200)
    assert (shown[100, 20, :3] == phase_rgb(0)).all()
    assert (shown[100, 180, :3] == phase_rgb(1)).all()
    assert shown[100, 98:103, :3].min() < 60  # the boundary


def test_the_sheet_of_a_volume_shows_box_and_slices() -> None:
    shown = pixels(draw_sheet(halves(), way="phase", title="halves"))
    assert share(shown, phase_rgb(0)) > 0.1
    assert share(shown, phase_rgb(1)) > 0.1
    assert shown.shape[0] > 900


def test_a_cube_along_z_is_red_by_ipf_z() -> None:
    assert share(pixels(draw_sheet(halves())), (255, 0, 0)) > 0.2


def test_faces_of_the_box_are_shaded_and_holes_are_seen_through() -> None:
    ms = halves()
    closed, names = view(ms, paint(ms, "phase"), "phase", pixels=200)
    assert [text for text, _ in names] == ["x 20 µm", "y 20 µm", "z 20 µm"]
    hole = np.where(np.arange(20)[:, None, None] > 12, 0, ms.grain_id)
    holed = replace(ms, grain_id=hole, phase_id=np.where(hole > 0, ms.phase_id, -1).astype(np.int16))
    opened, _ = view(holed, paint(holed, "phase"), "phase", pixels=200)
    assert (opened[..., 3] > 0).sum() < 0.9 * (closed[..., 3] > 0).sum()


@pytest.mark.parametrize("grid", [Grid((40, 30), (0.5, 0.5)), HexGrid((21, 19), 0.2), Grid((400, 3), (1.0, 1.0))])
def test_maps_of_scans(grid: Grid | HexGrid) -> None:
    shown = pixels(draw_sheet(as_scan(make_sample(grid)), way="ipf-y", title="a scan"))
    assert (shown < 250).any(-1).mean() > 0.005


def test_level_sets_and_grey_values() -> None:
    assert pixels(draw_sheet(level_set())).shape[0] > 900
    flat = Grid((30, 20), (1.0, 1.0))
    grey = np.arange(600, dtype=np.uint8).reshape(flat.shape)
    ms = Microstructure(flat, np.full(flat.shape, -1, np.int16), grey=grey)
    assert len(np.unique(pixels(draw_sheet(ms))[..., 0])) > 200


def test_a_contact_sheet_holds_a_tile_a_sample_and_is_bounded() -> None:
    red = np.full((150, 180, 4), (255, 0, 0, 255), np.uint8)
    one = share(pixels(contact_sheet([(red, "1")], title="one")), (255, 0, 0))
    shown = pixels(contact_sheet([(red, str(k)) for k in range(7)], title="seven"))
    assert one > 0
    area = 7 * red.shape[0] * red.shape[1] / (shown.shape[0] * shown.shape[1])
    assert share(shown, (255, 0, 0)) == pytest.approx(area, rel=0.01)
    many = pixels(contact_sheet([(red, "")] * 500, title="many"))
    assert many.shape[0] < 184 * (MOST_TILES // 4 + 2)
