"""Hollow, tiled, on a plate, taken apart: each closed, and as large as geometry says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from mesh_files import bodies, box, theirs, together
from test_level_set_mesh import N, ball, centres, gyroid, sample

from microgen.errors import InvalidParameter, NotPrintable
from microgen.grid import Grid
from microgen.meshing import Body, exploded, grain_surfaces, is_watertight, printable_solid, tiled, volume
from microgen.meshing.shaping import on_plate
from microgen.meshing.walls import depths
from microgen.microstructure import Microstructure

fields = arrays(np.float32, st.tuples(*[st.integers(3, 7)] * 3), elements=st.floats(-1, 1, width=32))


def test_depths_are_those_of_a_ball_and_of_a_box() -> None:
    radius = np.sqrt(sum(x**2 for x in centres()))
    found = depths(ball(15.0), np.ones(3))
    inside = radius < 15
    off = np.abs(found - (15 - radius))[inside]
    assert (off.max() < 0.6, off.mean() < 0.2) == (True, True)
    assert (found[~inside] == 0).all()
    full = depths(np.ones((5, 7, 9)), np.array([1.0, 2.0, 0.5]))
    assert full[2, 3, 4] == pytest.approx(2.25)


@pytest.mark.parametrize("wall", [2.0, 3.0, 5.5])
def test_a_hollow_ball_has_its_wall(wall: float) -> None:
    found = printable_solid(sample(ball(15.0)), shell=wall).report
    assert found.volume_mm3 == pytest.approx(4 / 3 * np.pi * (15**3 - (15 - wall) ** 3), rel=0.03)
    assert (found.trapped_voids, found.parts) == (1, 1)
    assert found.min_wall_mm == pytest.approx(wall, abs=0.8)


def test_a_hollow_box_is_exact_and_what_cannot_be_hollow_is_refused() -> None:
    full = sample(np.ones((20, 20, 20)))
    found = printable_solid(full, shell=4.0).report
    assert (found.volume_mm3, found.min_wall_mm) == pytest.approx((8000 - 12**3, 4.0), rel=1e-4)
    for wall, text in ((12.0, "depth of the thickest"), (0.5, "1.5 voxels"), (-1.0, "above 0")):
        with pytest.raises(InvalidParameter, match=text):
            printable_solid(full, shell=wall)


def test_a_plate_below_is_part_of_the_solid() -> None:
    bare, found = (printable_solid(sample(gyroid()), base=base).report for base in (None, 3.0))
    assert (found.parts, found.bbox_mm[2]) == (1, pytest.approx(N + 3))
    assert found.volume_mm3 == pytest.approx(bare.volume_mm3 + 3 * N**2, rel=0.02)
    assert printable_solid(sample(gyroid()), base=0.2).report.min_wall_mm == pytest.approx(0.2)
    assert volume(on_plate(box((4, 4, 4)), 1.0, sunk=0.5)) == pytest.approx(64 + 37.5 - 8)


@pytest.mark.parametrize("seed", range(6))
def test_plates_are_closed_for_readers_that_merge_near_corners(seed: int) -> None:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(16, 18, 15)), 1.5, mode="wrap")
    ms = sample(np.tanh(noise / noise.std()), 5.0 + 8 * seed)
    other = theirs(printable_solid(ms, base=0.03, min_part=0.0).mesh)
    other.merge_vertices()
    assert (other.is_watertight, other.is_winding_consistent) == (True, True)


def test_tiles_meet_without_a_seam() -> None:
    once = sample(gyroid(24, 1), periodic=(True, True, False))
    many = printable_solid(tiled(once, (2, 3, 1))).report
    direct = printable_solid(sample(np.tile(gyroid(24, 1), (2, 3, 1)))).report
    assert many == direct
    assert many.parts == 1
    with pytest.raises(InvalidParameter, match="periodic along z"):
        tiled(once, (1, 1, 2))
    with pytest.raises(InvalidParameter, match="tile"):
        tiled(once, (0, 1, 1))


def test_the_tolerance_bounds_how_far_the_surface_moves() -> None:
    fine, coarse = (printable_solid(sample(ball(15.0)), tolerance=t) for t in (0.05, 1.0))
    assert fine.report.triangles > 3 * coarse.report.triangles
    # Chords of the fine mesh itself, half a voxel of swelling, and the tolerance.
    assert np.abs(np.linalg.norm(coarse.mesh.points - N / 2, axis=1) - 15).max() < 1.5


def test_convex_bodies_taken_apart_do_not_overlap() -> None:
    moved = exploded(bodies(), 1.5)
    gap = moved[1].mesh.points[:, 0].min() - moved[0].mesh.points[:, 0].max()
    assert gap == pytest.approx(0.5 * 0.75)
    assert [volume(body.mesh) for body in moved] == pytest.approx([6, 3])
    assert exploded(bodies(), 1.0)[0].mesh.points.tolist() == bodies()[0].mesh.points.tolist()
    for factor in (0.5, np.inf, np.nan):
        with pytest.raises(InvalidParameter, match="explode"):
            exploded(bodies(), factor)


def test_pieces_at_opposite_faces_move_apart() -> None:
    halves = Body("wraps", together(box(), box(at=(9, 0, 0))))
    low = exploded([halves], 2.0)[0].mesh.points
    assert (low[:, 0].min(), low[:, 0].max()) == pytest.approx((-4.5, 14.5))


def test_hollow_grains_are_closed_and_thin_ones_stay_whole() -> None:
    labels = np.ones((12, 12, 14), np.int32)
    labels[:, :, 12:] = 2
    ms = Microstructure(Grid(labels.shape, (1000.0,) * 3), np.zeros(labels.shape, np.int16), grain_id=labels)
    found = dict(grain_surfaces(ms, shell=2.0))
    assert volume(found[1]) == pytest.approx(12**3 - 8**3, rel=1e-3)
    assert volume(found[2]) == pytest.approx(12 * 12 * 2, rel=1e-3)


@given(fields, st.floats(1.5, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_field_hollow_or_on_a_plate_is_closed_or_refused(u: np.ndarray, wall: float, hollow: bool) -> None:
    options = {"shell": wall} if hollow else {"base": wall}
    try:
        mesh = printable_solid(sample(u), min_part=0.0, **options).mesh
    except (NotPrintable, InvalidParameter):
        return
    assert is_watertight(mesh)
    other = theirs(mesh)
    other.merge_vertices()
    assert other.is_watertight
