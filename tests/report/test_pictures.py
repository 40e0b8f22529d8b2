from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure
from microgen.report.pictures import FACE_LIGHT, LINE, Window, draw_box, draw_map, point_under

COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [200, 200, 0]], np.uint8)


def plane(grain_id: np.ndarray, **more) -> Microstructure:
    return Microstructure(Grid(grain_id.shape, (1.0, 1.0)), np.zeros(grain_id.shape, np.int16), (), grain_id, **more)


def test_x_runs_to_the_right_and_y_down() -> None:
    ids = np.array([[1, 2], [3, 4]])  # [x, y]: grain 2 lies at x = 0, y = 1
    picture = draw_map(plane(ids), COLOURS, pixels=20)
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1], :3]
    assert picture.shape == (20, 20, 4)
    assert np.array_equal(corners, COLOURS[[0, 2, 1, 3]])


def test_boundaries_lie_between_grains_and_nowhere_else() -> None:
    ids = np.ones((10, 10), int)
    ids[5:] = 2
    picture = draw_map(plane(ids), COLOURS[np.r_[[0] * 50, [1] * 50]], pixels=100)
    dark = (picture[..., :3].max(-1) < 200).all(axis=0)
    assert 1 <= dark.sum() <= 2
    assert set(np.flatnonzero(dark)) <= {49, 50}


def test_one_grain_has_no_boundary_and_none_is_drawn_without_grains() -> None:
    colours = np.tile(COLOURS[:1], (16, 1))
    one = plane(np.ones((4, 4), int))
    for ms in (one, replace(one, grain_id=None)):
        assert (draw_map(ms, colours, pixels=40) == [*COLOURS[0], 255]).all()


def test_points_missing_in_the_file_are_transparent_until_clean_up_fills_them() -> None:
    there = np.ones((4, 4), bool)
    there[0] = False
    ms = plane(np.ones((4, 4), int), measured=there)
    colours = np.tile(COLOURS[:1], (16, 1))
    opacity = draw_map(replace(ms, grain_id=None), colours, pixels=40)[..., 3]
    assert (opacity[:, :10] == 0).all()
    assert (opacity[:, 10:] == 255).all()
    assert (draw_map(ms, colours, pixels=40)[..., 3] == 255).all()


@pytest.mark.parametrize(
    "grid", [HexGrid((9, 7), 0.2), HexGrid((9, 8), 0.2, shifted=0), HexGrid((6, 6), 3.0, short=False)]
)
def test_hexagonal_pixels_show_the_nearest_point(grid: HexGrid) -> None:
    window = Window.whole(grid)
    index = point_under(grid, window, 300, 260)
    x = window.left + (np.arange(300) + 0.5) * window.width / 300
    y = window.top + (np.arange(260) + 0.5) * window.height / 260
    places = np.stack(np.meshgrid(x, y), axis=-1)
    there = grid.points()[grid.exists().ravel()]
    nearest = cKDTree(there).query(places)[0]
    inside = index >= 0
    assert np.linalg.norm(places - grid.points()[index], axis=-1)[inside] == pytest.approx(nearest[inside])
    assert inside[nearest < 0.4999 * grid.step].all()
    assert not inside[nearest > 1.0001 * grid.step / math.sqrt(3)].any()


def test_hexagons_cover_their_share_of_the_picture() -> None:
    grid = HexGrid((8, 9), 0.5)
    window = Window.whole(grid)
    count = np.bincount(point_under(grid, window, 900, 900).ravel() + 1, minlength=grid.size + 1)[1:]
    area = count / 900**2 * window.width * window.height
    inner = ~grid.border().ravel() & grid.exists().ravel()
    assert area[inner] == pytest.approx(grid.cell_measure, rel=0.02)
    assert (count[~grid.exists().ravel()] == 0).all()


def test_a_centred_window_is_as_large_as_asked_and_no_larger_than_the_map() -> None:
    window = Window.centred(Grid((10, 20), (1.0, 2.0)), 4.0, 100.0)
    assert window == Window(3.0, 0.0, 4.0, 40.0)


def test_the_fullest_window_avoids_gaps_and_is_the_middle_without_them() -> None:
    ids = np.zeros((40, 30), int)
    ids[25:, 20:] = 1
    window = Window.fullest(plane(ids), 10.0, 10.0)
    assert window.left >= 25
    assert window.top == 20
    assert Window.fullest(plane(np.ones((40, 30), int)), 10.0, 10.0) == Window(15.0, 10.0, 10.0, 10.0)


def test_aspect_of_the_map_is_kept_and_very_thin_maps_are_drawn() -> None:
    ms = plane(np.ones((400, 100), int))
    assert draw_map(ms, np.tile(COLOURS[:1], (40000, 1)), pixels=200).shape == (50, 200, 4)
    thin = plane(np.ones((500, 1), int))
    assert draw_map(thin, np.tile(COLOURS[:1], (500, 1)), pixels=200).shape == (1, 200, 4)


def box_of_faces(shape: tuple[int, int, int]) -> Microstructure:
    """Grain 1 inside, 2 on the face z = 0, 3 on y = max, 4 on x = max."""
    ids = np.ones(shape, int)
    ids[-1], ids[:, -1], ids[:, :, 0] = 4, 3, 2
    table = Grains(np.zeros(4, int), np.tile([1.0, 0, 0, 0], (4, 1)), np.ones(4))
    return Microstructure(Grid(shape, (1.0, 2.0, 0.5)), np.zeros(shape, np.int16), (), ids, grains=table)


def test_the_box_shows_three_faces_in_their_places_with_their_light() -> None:
    picture, ends = draw_box(box_of_faces((40, 30, 50)), COLOURS, pixels=300)
    width, height = picture.shape[1], picture.shape[0]
    for grain, light, (right, down) in zip((1, 2, 3), FACE_LIGHT, ((0.5, 0.2), (0.25, 0.65), (0.85, 0.6))):
        shown = picture[int(down * height), int(right * width)]
        assert np.array_equal(shown[:3], (COLOURS[grain] * light).astype(np.uint8))
    assert ends["z"][0] < 0.1
    assert ends["y"][1] < ends["z"][1] < ends["x"][1]


def test_the_box_hides_what_lies_inside_and_is_transparent_around() -> None:
    picture, _ = draw_box(box_of_faces((12, 10, 11)), COLOURS, pixels=200)
    assert not (picture[..., :3] == COLOURS[0]).all(-1).any()
    assert (picture[[0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all()


def test_edges_of_the_box_and_grain_boundaries_are_dark() -> None:
    picture, _ = draw_box(box_of_faces((12, 10, 11)), COLOURS, pixels=400)
    drawn = picture[picture[..., 3] == 255][:, :3]
    assert (drawn.max(-1) < max(LINE[:3]) + 20).mean() == pytest.approx(0.012, abs=0.01)
