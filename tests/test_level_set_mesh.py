"""Surfaces of level sets are closed whatever the field, hold the volume of the voxels and say what prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from microgen.errors import InvalidParameter, NotPrintable
from microgen.grid import Grid
from microgen.meshing import Clip, area, is_watertight, level_set_mesh, parts, printable_solid, volume
from microgen.meshing.clip import signed_distance
from microgen.meshing.level_set import level_surface, simplified
from microgen.meshing.mesh import FINEST, coincident, on_lattice
from microgen.meshing.walls import walls
from microgen.microstructure import Microstructure

N = 48


def sample(u: np.ndarray, spacing: float | tuple[float, ...] = 1000.0, **grid: tuple) -> Microstructure:
    """A level set on voxels of 1 mm."""
    h = (spacing,) * 3 if isinstance(spacing, float) else spacing
    u = u.astype(np.float32)
    return Microstructure(Grid(u.shape, h, **grid), np.where(u > 0, 0, -1).astype(np.int16), level_set=u)


def centres(n: int = N) -> tuple[np.ndarray, ...]:
    """Distances of the voxel centres from the middle of a box of n³."""
    axis = np.arange(n) - (n - 1) / 2
    return np.meshgrid(axis, axis, axis, indexing="ij")


def ball(radius: float, n: int = N, at: tuple[float, ...] = (0.0, 0.0, 0.0)) -> np.ndarray:
    return np.tanh((radius - np.sqrt(sum((x - a) ** 2 for x, a in zip(centres(n), at)))) / 3)


def gyroid(n: int = N, periods: int = 3, level: float = 0.0) -> np.ndarray:
    x, y, z = (c * (2 * np.pi * periods / n) for c in centres(n))
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x) - level


def voxels(ms: Microstructure) -> float:
    return np.count_nonzero(ms.level_set > 0) * ms.grid.cell_measure * 1e-9


fields = arrays(np.float32, st.tuples(*[st.integers(1, 6)] * 3), elements=st.floats(-1, 1, width=32))


def speck() -> np.ndarray:
    """One voxel at the box, barely solid: simplifying makes a sheet without volume of it."""
    u = np.full((2, 2, 3), -1, np.float32)
    u[0, 0, 1] = 0.25
    return u


@given(fields)
@example(speck())
@settings(max_examples=150, deadline=None)
def test_any_field_is_refused_for_nothing_solid_or_closed(u: np.ndarray) -> None:
    if not (u > 0).any():
        with pytest.raises(NotPrintable, match="nothing solid"):
            level_set_mesh(sample(u))
        return
    mesh = level_set_mesh(sample(u), min_part=0.0)
    assert is_watertight(mesh)
    assert volume(mesh) > 0


@pytest.mark.parametrize("seed", range(4))
def test_random_fields_that_touch_the_box_are_closed_for_manifold3d_and_trimesh(seed: int) -> None:
    trimesh = pytest.importorskip("trimesh")
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(40, 30, 50)), 1.2 + 0.4 * seed)
    ms = sample(noise / noise.std() - 0.3, (1000.0, 500.0, 700.0))
    found = printable_solid(ms, min_part=0.0)
    theirs = trimesh.Trimesh(found.mesh.points.astype(np.float32), found.mesh.triangles)
    assert theirs.is_watertight
    assert theirs.is_winding_consistent
    assert theirs.volume == pytest.approx(voxels(ms), rel=2e-3)


@pytest.mark.parametrize("u", [gyroid(), gyroid(level=0.9), ball(15.0), ball(3.0), ball(40.0)], ids="abcde")
def test_volume_is_that_of_the_voxels_and_the_box_is_kept(u: np.ndarray) -> None:
    ms = sample(u, origin=(5000.0, -2000.0, 0.0))
    mesh = level_set_mesh(ms, min_part=0.0)
    assert volume(mesh) == pytest.approx(voxels(ms), rel=1e-3)
    low, high = np.array([5.0, -2.0, 0.0]), np.array([5.0, -2.0, 0.0]) + N
    assert (mesh.points >= low - 1e-5).all()
    assert (mesh.points <= high + 1e-5).all()


def test_a_ball_has_its_area_and_place_and_one_that_is_cut_flat_caps() -> None:
    mesh = level_set_mesh(sample(ball(15.0)))
    assert area(mesh) == pytest.approx(4 * np.pi * 15**2, rel=0.02)
    assert np.allclose(np.linalg.norm(mesh.points - N / 2, axis=1), 15, atol=0.3)
    half = level_set_mesh(sample(ball(15.0)[: N // 2]))
    assert area(half) == pytest.approx(3 * np.pi * 15**2, rel=0.02)
    assert half.points[:, 0].max() == pytest.approx(N / 2, abs=1e-5)


def test_winding_is_outward_and_scale_enlarges() -> None:
    once, twice = (level_set_mesh(sample(gyroid(24, 1)), scale=s) for s in (1.0, 2.0))
    assert volume(once) > 0
    assert volume(twice) == pytest.approx(8 * volume(once), rel=1e-3)


def test_floating_parts_are_left_out_and_counted() -> None:
    u = np.maximum(ball(10.0, at=(-10, 0, 0)), np.maximum(ball(6.0, at=(12, 0, 0)), ball(2.5, at=(12, 15, 0))))
    reports = {share: printable_solid(sample(u), min_part=share).report for share in (1.0, 0.1, 0.0)}
    assert [(r.parts, r.parts_removed) for r in reports.values()] == [(1, 2), (2, 1), (3, 0)]
    assert reports[1.0].volume_removed_mm3 == pytest.approx(4 / 3 * np.pi * (6**3 + 2.5**3), rel=0.03)
    assert parts(level_set_mesh(sample(u))) == 1


def test_trapped_voids_are_counted_and_open_ones_are_not() -> None:
    shell = np.minimum(ball(20.0), -ball(12.0))
    found = printable_solid(sample(shell)).report
    assert (found.trapped_voids, found.parts, found.euler) == (1, 1, 2)
    shell[: N // 2, N // 2 - 2 : N // 2 + 2, N // 2 - 2 : N // 2 + 2] = -1
    assert printable_solid(sample(shell)).report.trapped_voids == 0


@pytest.mark.parametrize(("thick", "normal"), [(6.0, (0, 0, 1)), (5.0, (1, 2, 3)), (7.3, (1, -1, 0)), (4.0, (3, 1, 0))])
def test_walls_of_plates_have_their_thickness(thick: float, normal: tuple[int, ...]) -> None:
    n = np.array(normal) / np.linalg.norm(normal)
    found = walls(np.tanh(thick / 2 - np.abs(np.tensordot(n, centres(), 1) - 0.37)), np.ones(3))
    assert len(found) > 500
    assert np.quantile(found, [0.01, 0.5]) == pytest.approx(thick, abs=0.35)


def test_walls_follow_unequal_voxels_and_cuts_are_no_walls() -> None:
    plate = 3.0 - np.abs(centres()[0])
    for spacing in (np.array([0.5, 1.0, 1.0]), np.array([1.0, 1.0, 0.5])):
        assert np.median(walls(plate, spacing)) == pytest.approx(6.0 * spacing[0], abs=0.1)
    found = printable_solid(sample(ball(60.0))).report  # a full box: the box is no wall
    assert np.isnan(found.min_wall_mm)


def test_the_report_compares_walls_with_printers() -> None:
    found = printable_solid(sample(3.0 - np.abs(centres()[0]), 100.0)).report
    assert found.min_wall_mm == pytest.approx(0.6, abs=0.04)
    assert {name for name, share in found.thin.items() if share > 0.5} == {"fdm", "sls"}


@pytest.mark.parametrize(("kind", "share"), [("cylinder", np.pi / 4), ("sphere", np.pi / 6)])
def test_clipped_solids_are_closed_and_round(kind: str, share: float) -> None:
    full = level_set_mesh(sample(np.ones((N, N, N))), clip=Clip(kind))
    assert volume(full) == pytest.approx(share * N**3, rel=0.01)
    assert is_watertight(level_set_mesh(sample(gyroid()), clip=Clip(kind, diameter=30.0)))


def test_an_outline_cuts_like_the_shape_it_is() -> None:
    outline = level_set_mesh(sample(ball(14.0), origin=(7e4, 0, 0)))
    ms = sample(gyroid())
    clips = Clip("outline", outline=outline), Clip("sphere", diameter=28.0)
    by_outline, by_shape = (level_set_mesh(ms, clip=clip) for clip in clips)
    assert volume(by_outline) == pytest.approx(volume(by_shape), rel=0.01)
    assert area(by_outline) == pytest.approx(area(by_shape), rel=0.01)


def test_distances_to_a_tilted_box_are_those_of_its_planes() -> None:
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * 16.0 - 8.0
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    rows = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    found = signed_distance((corners @ turn.T + 19.5)[rows], (40, 40, 40))
    true = 8.0 - np.abs(np.stack(centres(40), -1) @ turn).max(axis=-1)
    assert ((found > 0) == (true > 0)).all()
    near = np.abs(true) < 0.5
    assert np.quantile(np.abs(found - true)[near], 0.9) < 0.02


def test_pinched_corners_are_drawn_apart() -> None:
    u = np.minimum(gyroid(64, 5), Clip("cylinder").distance((64, 64, 64), np.ones(3)) / 2)
    raw = level_surface(u, np.ones(3), origin=np.zeros(3))
    for tolerance in (0.3, 1.0):
        simple = simplified(raw, tolerance, 10**9)
        assert not coincident(simple.points).size
        assert is_watertight(simple)


def test_corners_that_readers_would_merge_are_made_one_or_drawn_apart() -> None:
    """Readers merge corners closer than 1e-8 mm; here simplifying left two at 1.5e-8 mm, one of them on the box."""
    noise = np.random.default_rng(475).standard_normal((12,) * 3)
    ms = sample(gaussian_filter(noise, 1.6, mode="wrap"), 19.04)
    found = printable_solid(ms, min_part=0.0, tolerance=1.4 * 0.01904).mesh
    assert cKDTree(found.points.astype(np.float32)).query(found.points, k=2)[0][:, 1].min() >= FINEST * 0.99
    assert is_watertight(found)
    for x in (1e-3, 1.0, 1e4):
        close = np.array([[0.0, x, 0], [0.4 * FINEST, x, 0], [x, 0, 0]])
        assert coincident(on_lattice(close)).tolist() == [0, 1]
        assert np.allclose(on_lattice(close), close, atol=max(FINEST, 2.0**-22 * x))


def test_triangles_stay_below_the_limit() -> None:
    ms = sample(gyroid(64, 4))
    many, few = (level_set_mesh(ms, max_triangles=most) for most in (10**6, 12_000))
    assert len(many.triangles) > 12_000 >= len(few.triangles)


def test_samples_without_a_volume_and_bad_options_are_refused() -> None:
    plane = Microstructure(Grid((4, 4), (1, 1)), np.zeros((4, 4), np.int16))
    broken = np.full((4, 4, 4), np.nan)
    tries = [
        (plane, {}, "sample"),
        (sample(broken), {}, "level_set"),
        (sample(gyroid()), {"scale": 0.0}, "scale"),
        (sample(gyroid()), {"min_part": 2.0}, "min_part"),
        (sample(gyroid()), {"clip": Clip("sphere", diameter=100.0)}, "diameter"),
        (sample(gyroid()), {"clip": Clip("outline", outline=level_set_mesh(sample(ball(14.0), 5000.0)))}, "clip"),
    ]
    for ms, options, name in tries:
        with pytest.raises(InvalidParameter, match=name):
            printable_solid(ms, **options)
