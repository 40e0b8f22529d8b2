"""From scattered points to a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, HexGrid, Phase
from microgen.errors import UnreadableFile
from microgen.io.scan import EDAX, OXFORD, Claim, Frame, Points, assemble, from_map_frame, tell_apart, to_map_frame
from microgen.orientation import from_euler, misorientation_angle, multiply, random_orientations

IRON = (Phase("Iron"),)
HERE = Path("scan.ang")


def points_at(places: np.ndarray) -> Points:
    """Points whose first Euler angle tells which they are."""
    n = len(places)
    euler = np.stack([np.linspace(0, 1, n), np.full(n, 0.3), np.zeros(n)], axis=1)
    return Points(HERE, places[:, 0], places[:, 1], euler, np.zeros(n, int))


GRIDS = [
    Grid((7, 5), (0.25, 0.25), origin=(3.0, -2.0)),
    Grid((5, 7), (0.25, 0.5)),
    Grid((300, 3), (1 / 3, 1 / 3)),
    Grid((9, 1), (0.002, 0.002)),
    HexGrid((7, 5), 0.2),
    HexGrid((7, 4), 0.3, shifted=0),
    HexGrid((2, 2), 1.0, short=False),
    HexGrid((40, 31), 0.07, origin=(100.0, -50.0)),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("decimals", [3, 5, 12])
def test_grid_is_found_from_rounded_coordinates_in_any_order(grid: Grid | HexGrid, decimals: int) -> None:
    there = grid.exists().ravel() if isinstance(grid, HexGrid) else np.ones(grid.size, bool)
    places = grid.points()[there].round(decimals)
    order = np.random.default_rng(1).permutation(len(places))
    points = points_at(places)
    mixed = Points(HERE, points.x[order], points.y[order], points.euler[order], points.phase[order])
    found = assemble(mixed, IRON, frame=EDAX, claim=Claim())
    assert type(found.grid) is type(grid)
    assert found.grid.shape == grid.shape
    assert found.grid.points() == pytest.approx(grid.points(), abs=2e-3 if decimals == 3 else 2e-5)
    angle = misorientation_angle(found.orientation.reshape(-1, 4)[there], to_map_frame(points.euler, EDAX), "-1")
    assert angle.max() < 1e-7


def test_five_significant_digits_are_enough() -> None:
    grid = Grid((5000, 2), (0.25, 0.25), origin=(-0.125, -0.125))
    places = np.array([[float(f"{x:.5g}"), y] for x, y in grid.points()])
    assert assemble(points_at(places), IRON, frame=EDAX, claim=Claim()).grid == grid


def test_float32_noise_makes_no_columns() -> None:
    grid = Grid((400, 3), (0.1, 0.1))
    noise = np.random.default_rng(0).normal(0, 3e-6, (grid.size, 2))
    assert assemble(points_at(grid.points() + noise), IRON, frame=EDAX, claim=Claim()).grid.shape == (400, 3)


@pytest.mark.parametrize("claimed", [None, 0.3, 0.1, 0.15, 0.6, 7.0, 1e-12])
def test_step_of_the_header_is_never_trusted(claimed: float | None) -> None:
    grid = Grid((6, 4), (0.3, 0.3))
    found = assemble(points_at(grid.points()), IRON, frame=EDAX, claim=Claim(step=(claimed, claimed)))
    assert found.grid.shape == (6, 4)
    assert found.grid.spacing == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("seed", range(3))
def test_sparse_maps_keep_their_places(seed: int) -> None:
    grid = Grid((40, 30), (0.96, 0.96), origin=(-106.08, -0.48))
    keep = np.random.default_rng(seed).random(grid.size) < 0.3
    keep[[0, -1]] = True
    claim = Claim(step=(0.96, 0.96), points=1200, columns=40, rows=30)
    found = assemble(points_at(grid.points()[keep]), IRON, frame=OXFORD, claim=claim)
    assert found.grid.shape == (40, 30)
    assert np.array_equal(found.measured, keep.reshape(40, 30))
    assert np.array_equal(found.phase_id >= 0, found.measured)


def test_a_row_of_a_hexagonal_map_cut_short_is_refused() -> None:
    grid = HexGrid((6, 4), 0.2)
    places = grid.points().reshape(6, 4, 2).swapaxes(0, 1)[grid.exists().T]
    with pytest.raises(UnreadableFile, match="last row lacks 2 points"):
        assemble(points_at(places[:-2]), IRON, frame=EDAX, claim=Claim())


def test_scattered_points_are_no_map() -> None:
    places = np.random.default_rng(2).random((200, 2))
    with pytest.raises(UnreadableFile):
        assemble(points_at(places), IRON, frame=EDAX, claim=Claim())


def test_a_single_point_needs_a_step() -> None:
    place = np.array([[2.0, 3.0]])
    with pytest.raises(UnreadableFile, match="single point"):
        assemble(points_at(place), IRON, frame=EDAX, claim=Claim())
    found = assemble(points_at(place), IRON, frame=EDAX, claim=Claim(step=(0.5, 0.5)))
    assert found.grid == Grid((1, 1), (0.5, 0.5), origin=(1.75, 2.75))


@pytest.mark.parametrize("frame", [EDAX, OXFORD], ids=["EDAX", "OXFORD"])
def test_frames_are_turns_about_an_axis_of_the_surface(frame: Frame) -> None:
    euler = np.random.default_rng(4).uniform(0, 3, (50, 3))
    turn = np.array([0, np.cos(frame.angle), np.sin(frame.angle), 0])
    expected = multiply(from_euler(*euler.T), turn)
    assert misorientation_angle(to_map_frame(euler, frame), expected, "-1").max() < 1e-7


@pytest.mark.parametrize("frame", [EDAX, OXFORD], ids=["EDAX", "OXFORD"])
def test_angles_come_back_from_the_map_frame(frame: Frame) -> None:
    q = np.vstack([random_orientations(100, np.random.default_rng(5)), np.eye(4)])
    euler = from_map_frame(q, frame)
    assert misorientation_angle(to_map_frame(euler, frame), q, "-1").max() < 1e-7
    assert (euler >= 0).all()
    assert (euler[:, 1] <= np.pi).all()


def test_equal_names_are_numbered() -> None:
    assert tell_apart(["Fe", "Fe", "Cu", "Fe", "Fe (2)"]) == ["Fe", "Fe (2)", "Cu", "Fe (3)", "Fe (2) (2)"]
