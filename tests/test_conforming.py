"""Conforming meshes: no gaps, no inverted or open elements, the volumes of the voxels, smooth faces, sharp lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from microgen import Grid, Microstructure, Phase
from microgen.errors import InvalidParameter
from microgen.meshing.conforming import Conforming, conform
from microgen.meshing.lattice_kernels import cut_elements
from microgen.meshing.mesh import area, is_watertight, volume
from microgen.meshing.pinches import _PINCHED, without_pinches
from microgen.meshing.tetrahedra import OUTSIDE, Tetrahedra, interfaces, shapes, surface_of, tetrahedra, volumes

PLACES = np.stack(np.meshgrid(*[np.arange(32) + 0.5] * 3, indexing="ij"), axis=-1)


def sample(labels: np.ndarray, *, spacing: tuple[float, ...] = (1.0,) * 3, wraps: bool = False) -> Microstructure:
    grid = Grid(labels.shape, spacing, origin=(2.0, -3.0, 5.0), periodic=(wraps,) * 3)
    phase = np.where(labels > 0, 0, -1).astype(np.int16)
    return Microstructure(grid, phase, (Phase("metal"),), grain_id=labels.astype(np.int32))


def cells(shape: tuple[int, ...], number: int, seed: int) -> np.ndarray:
    """Labels 1..number, each somewhere, of the nearest of so many points."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.arange(n) + 0.5 for n in shape], indexing="ij"), axis=-1)
    points = rng.random((number, 3)) * shape
    labels = 1 + ((at[..., None, :] - points) ** 2).sum(axis=-1).argmin(axis=-1)
    return np.unique(labels, return_inverse=True)[1].reshape(shape) + 1


made = st.builds(
    lambda shape, number, seed, spacing, wraps: sample(cells(shape, number, seed), spacing=spacing, wraps=wraps),
    *(st.tuples(*[st.integers(6, 14)] * 3), st.integers(1, 12), st.integers(0, 10**6)),
    *(st.sampled_from([(1.0, 1.0, 1.0), (0.5, 2.0, 1.0)]), st.booleans()),
)


@settings(max_examples=25, deadline=None)
@given(made)
def test_tetrahedra_fill_the_box_once_and_grain_by_grain(ms: Microstructure) -> None:
    mesh = conform(ms)
    found = tetrahedra(mesh)
    size = volumes(found)
    assert size.min() > 0
    assert size.sum() == pytest.approx(np.prod(ms.grid.lengths))
    assert ms.grain_id is not None
    voxels = np.bincount(ms.grain_id.ravel()) * np.prod(ms.grid.spacing)
    grown = np.bincount(found.labels, size) / np.maximum(voxels, 1e-9) - 1
    assert np.allclose(grown[1:], mesh.volume_error[1:], atol=1e-9)
    assert_conforms(found, mesh)


def assert_conforms(found: Tetrahedra, mesh: Conforming) -> None:
    """Inner faces have two tetrahedra; those between labels, and of the box, are the triangles of the interfaces."""
    faces = np.concatenate([found.tetrahedra[:, keep] for keep in ([0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3])])
    labels = np.tile(found.labels, 4)
    order = np.lexsort(np.sort(faces, axis=1).T)
    faces, labels = np.sort(faces, axis=1)[order], labels[order]
    first, number = np.unique(faces, axis=0, return_index=True, return_counts=True)[1:]
    assert number.max() <= 2
    twice = first[number == 2]
    between = (labels[twice] != labels[twice + 1]).sum()
    drawn = interfaces(mesh)
    assert (number == 1).sum() == (drawn.sides == OUTSIDE).any(axis=1).sum()
    assert between == (drawn.sides != OUTSIDE).all(axis=1).sum()


@settings(max_examples=15, deadline=None)
@given(made)
def test_every_grain_has_a_closed_surface_of_its_own(ms: Microstructure) -> None:
    mesh = conform(ms)
    faces, found = interfaces(mesh), tetrahedra(mesh)
    inside = np.bincount(found.labels, volumes(found))
    for label in np.unique(found.labels):
        surface = surface_of(faces, int(label))
        assert is_watertight(surface)
        assert volume(surface) * 1e9 == pytest.approx(inside[label])


def test_a_ball_is_round() -> None:
    radius = 11.0
    inside = ((PLACES - 16.0) ** 2).sum(axis=-1) < radius**2
    mesh = conform(sample(1 + inside.astype(int)))
    surface = surface_of(interfaces(mesh), 2)
    away = np.linalg.norm(surface.points * 1e3 - np.array([18.0, 13.0, 21.0]), axis=1)
    assert away.std() < 0.06  # voxels; corners of the voxels themselves have 0.4
    assert area(surface) * 1e6 == pytest.approx(4 * np.pi * radius**2, rel=0.03)
    assert np.abs(mesh.volume_error).max() < 0.002


def test_flat_faces_and_the_line_between_three_stay_where_they_are() -> None:
    labels = np.where(PLACES[..., 0] < 10, 1, np.where(PLACES[..., 1] < 20, 2, 3))
    mesh = conform(sample(labels))
    assert np.abs(mesh.displaced).max() < 1e-9
    assert mesh.changed == 0
    assert not mesh.middle.any()


def test_a_tilted_face_becomes_flat() -> None:
    way = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    mesh = conform(sample(1 + ((PLACES - 16.0) @ way > 0.2).astype(int)))
    faces = interfaces(mesh)
    inner = faces.points[faces.triangles[(faces.sides > 0).all(axis=1)]].reshape(-1, 3)
    height = (inner - [18.0, 13.0, 21.0]) @ way - 0.2
    far = np.abs(inner - [18.0, 13.0, 21.0]).max(axis=1) < 12
    assert np.sqrt((height[far] ** 2).mean()) < 0.12


def test_opposite_faces_of_a_periodic_sample_match_node_by_node() -> None:
    labels = cells((16, 14, 12), 9, 3)
    mesh = conform(sample(labels, wraps=True))
    for axis in range(3):
        first, last = (np.take(mesh.displaced, k, axis=axis) for k in (0, -1))
        assert np.array_equal(first, last)
        assert np.array_equal(*(np.take(mesh.flipped[axis], k, axis=axis) for k in (0, -1)))
        assert not first[..., axis].any()


def test_the_kernel_agrees_with_the_tetrahedra() -> None:
    rng, shape = np.random.default_rng(1), (5, 4, 6)
    displaced = np.zeros((6, 5, 7, 3))
    displaced[1:-1, 1:-1, 1:-1] = rng.uniform(-0.3, 0.3, (4, 3, 5, 3))
    flipped, flat = np.zeros((3, 6, 5, 7), bool), np.zeros((6, 5, 7), bool)
    total, middle = np.ones(shape), np.zeros(shape, bool)
    cut_elements(displaced, np.arange(120), 0.01, flipped, total, middle, flat)
    labels = np.arange(1, 121, dtype=np.int32).reshape(shape)
    mesh = Conforming(Grid(shape, (1.0,) * 3), labels, displaced, flipped, middle, np.zeros(121), 0)
    found = tetrahedra(mesh)
    assert 0 < middle.sum() < middle.size
    assert np.allclose(np.bincount(found.labels, volumes(found))[1:], total.ravel())
    flattest = np.full(121, np.inf)
    np.minimum.at(flattest, found.labels, volumes(found))
    at = flattest[1:].reshape(shape) < 0.01
    assert flat.any() == at.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_no_label_touches_itself_along_an_edge(seed: int, kinds: int) -> None:
    labels = cells((9, 9, 9), 40, seed) % kinds
    mended, changed = without_pinches(labels)
    assert changed >= (mended != labels).sum()
    around = np.pad(mended, 1, constant_values=-1)
    for at in np.ndindex(10, 10, 10):
        block = around[tuple(slice(a, a + 2) for a in at)].transpose(2, 1, 0).ravel()
        codes = [int((block == label) @ (1 << np.arange(8))) for label in set(block.tolist()) - {-1}]
        assert not _PINCHED[codes].any()


def test_the_shape_of_a_regular_tetrahedron_is_one() -> None:
    points = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    mesh = Tetrahedra(points, np.array([[0, 1, 3, 2]]), np.array([1]))
    assert np.abs(volumes(mesh)) == pytest.approx(8 / 3)
    flip = Tetrahedra(points, mesh.tetrahedra[:, [0, 2, 1, 3]], mesh.labels)
    good = mesh if volumes(mesh)[0] > 0 else flip
    assert shapes(good) == pytest.approx(1.0)


def test_larger_elements_keep_the_volumes_and_say_what_they_lose() -> None:
    labels = cells((32, 32, 32), 20, 5)
    ms = sample(labels)
    mesh = conform(ms, element=2.0)
    assert mesh.labels.shape == (16, 16, 16)
    assert mesh.grid.spacing == (2.0, 2.0, 2.0)
    found = tetrahedra(mesh)
    voxels = np.bincount(labels.ravel()) / labels.size
    assert np.bincount(found.labels, volumes(found))[1:] == pytest.approx(voxels[1:] * 32**3, rel=0.01)
    labels[0, 0, 0] = 99
    with pytest.raises(InvalidParameter, match="first: 99"):
        conform(sample(labels), element=4.0)


@pytest.mark.parametrize("element", [0.5, 20.0, float("nan")])
def test_impossible_elements_are_refused(element: float) -> None:
    with pytest.raises(InvalidParameter, match="element"):
        conform(sample(cells((12, 12, 12), 3, 0)), element=element)


def test_void_has_no_tetrahedra() -> None:
    inside = ((PLACES - 16.0) ** 2).sum(axis=-1) < 81
    found = tetrahedra(conform(sample(inside.astype(int))))
    assert set(found.labels) == {1}
    assert volumes(found).sum() == pytest.approx(inside.sum(), rel=0.002)
