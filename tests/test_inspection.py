"""Surfaces made by anyone: faults are counted and placed, walls have their thickness, verdicts their reasons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mesh_files import box, inverted, theirs, together

from microgen.errors import InvalidParameter
from microgen.meshing import Inspection, TriangleMesh, against, faults, inspect as inspected, told, welded
from microgen.meshing.crossings import crossing
from microgen.meshing.mesh_walls import mesh_walls


def inspect(mesh: TriangleMesh, *, resolution: float | None = None) -> Inspection:
    """With coarse voxels, for speed."""
    return inspected(
        mesh, resolution=float(np.ptp(mesh.points, axis=0).max()) / 40 if resolution is None else resolution
    )


def turned(mesh: TriangleMesh, seed: int = 0) -> TriangleMesh:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return TriangleMesh(mesh.points @ (q * np.sign(np.linalg.det(q))).T, mesh.triangles)


def ball(radius: float = 3.0) -> TriangleMesh:
    trimesh = pytest.importorskip("trimesh")
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return welded(made.vertices, made.faces)


def hollow() -> TriangleMesh:
    return together(box((10, 10, 10)), inverted(box((6, 6, 6), at=(2, 2, 2))))


def test_a_box_is_known_in_full() -> None:
    found = inspect(box((10, 20, 30)))
    assert (found.watertight, found.manifold, found.parts, found.trapped_voids) == (True, True, 1, 0)
    assert (found.euler, found.euler_surface, found.triangles, found.self_intersections) == (1, 2, 12, 0)
    assert (found.volume_mm3, found.area_mm2) == pytest.approx((6000, 2200))
    assert found.bbox_mm == pytest.approx((10, 20, 30))
    assert (found.min_wall_mm, found.overhang) == (pytest.approx(10, rel=0.02), 0.0)
    assert against(found, "fdm") == []


def test_a_hole_is_counted_and_placed() -> None:
    whole = box((10, 10, 10))
    found = inspect(TriangleMesh(whole.points, whole.triangles[1:]))
    assert (found.watertight, found.volume_mm3, found.min_wall_mm, found.euler) == (False, None, None, None)
    assert found.faults.open_edges == 3
    lost = whole.points[whole.triangles[0]]
    middles = sorted(((lost + np.roll(lost, 1, axis=0)) / 2).tolist())
    assert sorted(found.faults.where["open"]) == middles
    (reason,) = against(found)
    assert "3 open edges" in reason


def test_crowded_and_flipped_edges_pinches_and_double_triangles() -> None:
    edge = together(box(), box(at=(1, 2, 0)))
    assert (faults(edge).crowded_edges, faults(edge).watertight) == (1, False)
    corner = together(box(), box(at=(1, 2, 3)))
    assert (faults(corner).pinched_corners, faults(corner).watertight) == (1, True)
    rows = box().triangles.copy()
    rows[0] = rows[0][::-1]
    one_turned = faults(TriangleMesh(box().points, rows))
    assert (one_turned.flipped_edges, one_turned.watertight, one_turned.oriented) == (3, True, False)
    twice = faults(TriangleMesh(box().points, np.vstack([box().triangles, box().triangles[:1]])))
    assert (twice.duplicate_triangles, twice.crowded_edges) == (1, 3)
    assert len(told(twice)) == 1


def test_triangles_without_area_are_no_hole() -> None:
    rows = np.vstack([box().triangles, [[0, 0, 1], [5, 5, 5]]])
    found = inspect(TriangleMesh(box().points, rows))
    assert (found.watertight, found.manifold, found.faults.degenerate_triangles) == (True, True, 2)


@given(st.sets(st.integers(0, 11), max_size=6), st.sets(st.integers(0, 11), max_size=6))
@settings(max_examples=80, deadline=None)
def test_trimesh_agrees_on_what_is_closed(dropped: set[int], turned_round: set[int]) -> None:
    rows = box().triangles.copy()
    rows[list(turned_round)] = rows[list(turned_round)][:, ::-1]
    mesh = TriangleMesh(box().points, np.delete(rows, list(dropped), axis=0))
    found, other = faults(mesh), theirs(mesh)
    assert found.watertight == other.is_watertight
    assert found.oriented == (other.is_watertight and other.is_winding_consistent)


def test_cavities_and_parts_and_what_is_inside_out() -> None:
    found = inspect(hollow())
    assert (found.parts, found.trapped_voids, found.euler) == (1, 1, 2)
    assert found.volume_mm3 == pytest.approx(1000 - 216)
    assert found.min_wall_mm == pytest.approx(2.0, abs=0.05)
    back = inspect(inverted(hollow()))
    assert (back.parts, back.trapped_voids, back.inside_out, back.manifold) == (1, 1, 2, False)
    assert back.volume_mm3 == pytest.approx(1000 - 216)
    one = inspect(together(box((5, 5, 5)), inverted(box((4, 4, 4), at=(9, 0, 0)))))
    assert (one.parts, one.inside_out, one.volume_mm3) == (2, 1, pytest.approx(189))
    assert against(one) == ["1 part inside out"]


@pytest.mark.parametrize("thick", [0.02, 0.3, 1.0, 2.5])
def test_walls_are_measured_however_thin_and_tilted(thick: float) -> None:
    plate = turned(box((40.0, 40.0, thick)))
    found = mesh_walls(plate, 0.5).thickness
    assert np.quantile(found, [0.01, 0.5]) == pytest.approx(thick, rel=0.06)
    assert len(found) * 0.5**2 == pytest.approx(40**2, rel=0.45)


def test_a_thin_sheet_beside_a_block_is_found_and_a_ball_has_none() -> None:
    sheet = box((50, 50, 0.05), at=(0, 0, 60))
    assert inspect(together(box((50, 50, 50)), sheet)).min_wall_mm == pytest.approx(0.05, rel=0.01)
    assert inspect(ball()).min_wall_mm == pytest.approx(6.0, rel=0.05)


def test_slivers_that_the_box_cuts_off_are_told_apart_from_walls() -> None:
    slivers = [box((30, 30, 0.1)), box((0.1, 30, 30), at=(29.9, 0, 5))]  # on two sides of the box of all
    found = inspect(together(*slivers, box((25, 30, 2), at=(2, 0, 10)), box((25, 30, 3), at=(2, 0, 32))))
    assert (found.min_wall_mm, found.min_wall_uncut_mm) == (pytest.approx(0.1), pytest.approx(2.0))
    assert len(against(found, "fdm")) == 1
    assert against(found, "fdm", cut=True) == []
    alone = inspect(slivers[0])
    assert (alone.min_wall_mm, alone.min_wall_uncut_mm) == (pytest.approx(0.1), None)


def test_a_resolution_can_be_asked_for_within_reason() -> None:
    assert inspect(box((10, 10, 10)), resolution=0.5).resolution_mm == 0.5
    for wrong in (1e-6, 0.0, -1.0, float("nan")):
        with pytest.raises(InvalidParameter, match="resolution"):
            inspected(box(), resolution=wrong)


def test_triangles_that_cross_are_found_and_neighbours_are_not() -> None:
    assert len(crossing(ball().points, ball().triangles)) == 0
    for shift in (0.5, 0.37):
        both = together(box((1, 1, 1)), box((1, 1, 1), at=(shift, shift, shift)))
        found = inspect(both)
        assert found.self_intersections > 0
        assert (found.watertight, found.parts) == (True, 2)
        assert len(found.faults.where["crossing"]) > 0
    far = together(ball(), TriangleMesh(ball().points + 6.1, ball().triangles))
    assert len(crossing(far.points, far.triangles)) == 0


def test_overhang_is_the_share_that_faces_down() -> None:
    assert inspect(box((10, 10, 10))).overhang == 0.0  # it lies on the plate
    table = together(box((2, 2, 10)), box((10, 10, 1), at=(20, 0, 10)))
    assert inspect(table).overhang == pytest.approx(100 / inspect(table).area_mm2)


@pytest.mark.parametrize(("printer", "word"), [("fdm", "0.8 mm"), ("sla", "0.5 mm"), ("sls", "0.7 mm"), ("dmls", None)])
def test_printers_refuse_walls_they_cannot_make(printer: str, word: str | None) -> None:
    reasons = against(inspect(box((20, 20, 0.45))), printer)
    assert bool(reasons) == (word is not None)
    assert word is None or word in reasons[0]


def test_powder_stays_in_cavities_and_fdm_has_none() -> None:
    found = inspect(hollow())
    assert [bool(against(found, printer)) for printer in ("fdm", "sla", "sls", "dmls")] == [False, True, True, True]
    assert "resin stays" in against(found, "sla")[0]
