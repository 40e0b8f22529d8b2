"""Grains as points, and distances between polycrystals whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen import Grid, HexGrid, Microstructure, Phase, Polycrystal
from microgen.descriptors.grain_cloud import grain_cloud, grain_distance, points, together
from microgen.errors import InvalidParameter, NoGrains


def bricks(shape: tuple[int, ...], brick: tuple[int, ...], *, spacing: float = 1.0, wraps: bool = True):
    """A box of equal bricks."""
    index = np.indices(shape)
    counts = [n // b for n, b in zip(shape, brick)]
    labels = np.ravel_multi_index(tuple(i // b for i, b in zip(index, brick)), counts) + 1
    grid = Grid(shape, (spacing,) * len(shape), periodic=(wraps,) * len(shape))
    return Microstructure(grid, np.zeros(shape, np.int16), (Phase("iron"),), labels.astype(np.int32))


def rolled(ms: Microstructure, steps: int) -> Microstructure:
    assert ms.grain_id is not None
    return replace(ms, grain_id=np.roll(ms.grain_id, steps, axis=0))


def test_larger_and_longer_grains_are_as_far_as_their_axes_say() -> None:
    cubes = bricks((24, 24, 24), (4, 4, 4))
    assert grain_distance(cubes, cubes) == pytest.approx(0, abs=1e-2)
    larger = bricks((24, 24, 24), (4, 4, 4), spacing=2.0)
    assert grain_distance(cubes, larger, position=0) == pytest.approx(np.sqrt(3) * np.log(2), rel=1e-3)
    longer = bricks((24, 24, 24), (8, 4, 4))  # three axes, one of them twice as long
    assert grain_distance(cubes, longer, position=0) == pytest.approx(np.log(2), rel=1e-3)


def test_places_count_in_grain_spacings_and_around_the_box() -> None:
    plane = bricks((64, 8), (8, 8))
    by_chord = 8 / np.pi * np.sin(np.pi / 4 / 8)  # a quarter of a spacing, on a circle of eight
    assert grain_distance(plane, rolled(plane, 2)) == pytest.approx(by_chord, rel=2e-2)
    assert grain_distance(plane, rolled(plane, 2), position=0) == pytest.approx(0, abs=1e-2)
    assert grain_distance(plane, rolled(plane, 8)) == pytest.approx(0, abs=1e-2)


def test_the_ground_cost_is_the_one_that_is_told() -> None:
    a, b = (Polycrystal(12).sample(Grid((16, 16, 12), (1.0,) * 3), seed=seed) for seed in (0, 1))
    first, second = together(a, b)
    x, y = points(first, second)
    place = (first.place[0] - second.place[0]) * a.grid.lengths / first.spacing
    ratio = np.log(first.measure[0] / second.measure[0]) / 3
    logs = first.log_shape[0] - second.log_shape[0] + ratio * np.eye(3)
    assert np.sum((x[0] - y[0]) ** 2) == pytest.approx(place @ place + np.sum(logs**2))
    assert np.trace(first.log_shape[0]) == pytest.approx(0, abs=1e-12)


def test_grains_by_volume_and_maps_of_all_kinds() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 5, (12, 10)).astype(np.int32)
    for grid in (Grid((12, 10), (1.0, 1.0)), HexGrid((12, 10), 1.0)):
        ms = Microstructure(grid, np.zeros((12, 10), np.int16), (), labels)
        assert grain_distance(ms, ms, weighting="measure") == pytest.approx(0, abs=1e-2)
    assert len(grain_cloud(bricks((24, 24), (8, 8), wraps=False), interior=True)) == 1


def test_phases_are_at_a_distance_of_one() -> None:
    one = bricks((16, 16), (8, 8))
    two = replace(one, phases=(Phase("iron"), Phase("slag")), phase_id=(one.grain_id == 1).astype(np.int16))  # type: ignore[union-attr]
    other = replace(two, phase_id=(one.grain_id == 4).astype(np.int16))  # type: ignore[union-attr]
    assert grain_distance(two, other, position=0) == pytest.approx(0, abs=1e-2)
    more = replace(two, phase_id=(one.grain_id != 1).astype(np.int16))  # type: ignore[union-attr]
    assert grain_distance(two, more, position=0, blur=0.05) == pytest.approx(np.sqrt(0.5), rel=1e-2)
    assert grain_distance(one, replace(one, phases=(Phase("steel"),)), position=0) == pytest.approx(0, abs=1e-2)
    with pytest.raises(InvalidParameter, match="same phases"):
        grain_distance(one, two)


@pytest.mark.parametrize("change", [{"position": -1}, {"position": np.nan}, {"weighting": "mass"}, {"blur": 0}])
def test_wrong_parameters_are_refused(change: dict) -> None:
    plane = bricks((8, 8), (4, 4))
    with pytest.raises(InvalidParameter, match=next(iter(change))):
        grain_distance(plane, plane, **change)


def test_planes_and_volumes_and_what_has_no_grains_are_refused() -> None:
    plane, cube = bricks((8, 8), (4, 4)), bricks((8, 8, 8), (4, 4, 4))
    with pytest.raises(InvalidParameter, match="two planes or two volumes"):
        grain_distance(plane, cube)
    with pytest.raises(NoGrains):
        grain_distance(plane, replace(plane, grain_id=np.zeros((8, 8), np.int32)))
    with pytest.raises(InvalidParameter, match="with grains"):
        grain_distance(plane, replace(plane, grain_id=None))
