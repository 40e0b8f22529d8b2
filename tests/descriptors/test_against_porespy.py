"""Descriptors held against porespy (MIT): equal, voxel by voxel or count by count, where definitions can be matched.

Volumes without periodic axes, since porespy has none. What differs by definition, and is undone here:

- Thickness. porespy gives radii to the nearest centre of a void voxel; ours is the diameter 2 r - 1/2. Its default
  rounds radii down to whole voxels; only with all distances that occur as sizes are its balls the same as ours.
- Correlation. porespy averages lags with equal weight in bins [k, k + 1), ours all pairs in bins about k.
- Chords. porespy takes every other line of both directions across, and drops those that run in the faces of the box.
- Lineal path. porespy counts the voxels by how far the solid goes on from them; its `cdf` is of those in the solid.

porespy itself is MIT, but brings edt and connected-components-3d (LGPL), so it is no part of the dev extra:
`pip install "porespy>=3.2"` before these tests.
"""

from __future__ import annotations

import numpy as np
import pytest

from microgen.descriptors.correlation import two_point_correlation
from microgen.descriptors.lineal_path import lineal_path, solid_chord_length
from microgen.descriptors.percolation import percolation
from microgen.descriptors.solid import volume_fraction
from microgen.descriptors.thickness import local_thickness, thickness
from tests.descriptors.shapes import ball, blobs, gyroid, voxels

porespy = pytest.importorskip("porespy", reason="porespy is a test oracle to install by hand")

SHAPES = {"ball": ball(32, 9), "gyroid": gyroid(32), "texture": blobs(32, 3) - 0.3}


@pytest.fixture(params=SHAPES)
def full(request: pytest.FixtureRequest) -> np.ndarray:
    return SHAPES[request.param] > 0


def radii(full: np.ndarray) -> np.ndarray:
    """Ours as porespy has it: distance from the centre of the largest ball to the nearest void voxel's centre."""
    return np.where(full, (local_thickness(voxels(full, periodic=False)) + 0.5) / 2, 0)


@pytest.mark.parametrize("shape", ["gyroid", "texture"])
def test_thickness_is_the_same_in_every_voxel(shape: str) -> None:
    """Of balls up to five voxels, which ours paints exactly."""
    full = SHAPES[shape] > 0
    distance = porespy.tools.get_edt()(full)
    full &= distance < 5  # a thick middle becomes a void of its own
    distance = porespy.tools.get_edt()(full)
    theirs = porespy.filters.local_thickness(full, dt=distance, method="legacy", sizes=np.unique(distance[full]))
    assert radii(full) == pytest.approx(theirs, abs=1e-5)


def test_thickness_of_wider_balls_is_the_same_on_the_mean(full: np.ndarray) -> None:
    distance = porespy.tools.get_edt()(full)
    theirs = porespy.filters.local_thickness(full, dt=distance, method="legacy", sizes=np.unique(distance[full]))
    assert radii(full)[full].mean() == pytest.approx(theirs[full].mean(), rel=0.004)


def test_thickness_is_at_most_a_voxel_above_whole_radii(full: np.ndarray) -> None:
    """With whole radii a ball is up to a voxel too small, and the rest of it is left to smaller ones."""
    theirs = porespy.filters.local_thickness(full)[full]
    ours = radii(full)[full]
    assert (ours >= theirs * 0.996).mean() > 0.99
    assert 0 <= ours.mean() - theirs.mean() < 1
    assert thickness(voxels(full, periodic=False)).mean == pytest.approx(2 * ours.mean() - 0.5)


def test_correlation(full: np.ndarray) -> None:
    ours = two_point_correlation(voxels(full, periodic=False))
    edges = np.append(0, np.arange(16) + 0.5)
    theirs = porespy.metrics.two_point_correlation(full, bins=edges).probability_scaled
    assert ours.y[0] == pytest.approx(theirs[0]) == full.mean()
    # Pairs at short lags are the more; within a bin of one voxel that weight matters little.
    assert ours.y[: len(theirs)] == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize("axis", range(3))
def test_chords(full: np.ndarray, axis: int) -> None:
    labels = porespy.filters.apply_chords(full, spacing=1, axis=axis, label=True)
    theirs = np.bincount(np.bincount(labels.ravel())[1:], minlength=33)[1:]
    lines = tuple(slice(None) if k == axis else slice(2, 30, 2) for k in range(3))
    ours = solid_chord_length(voxels(full[lines], periodic=False), axis=axis)
    assert ours.weights is not None
    assert np.array_equal(np.bincount(ours.values.astype(int), ours.weights, minlength=33)[1:], theirs)
    assert theirs.sum() > 0


@pytest.mark.parametrize("axis", range(3))
def test_lineal_path(full: np.ndarray, axis: int) -> None:
    ahead = porespy.filters.distance_transform_lin(full, axis=axis, mode="forward")
    theirs = porespy.metrics.lineal_path_distribution(ahead, bins=np.arange(0.5, ahead.max() + 1)).cdf
    ours = lineal_path(voxels(full, periodic=False), axis=axis).y
    # Theirs is a share of the solid voxels, ours one of the lines of that length that the box holds.
    held = ours * (1 - np.arange(32) / 32) / full.mean()
    assert held[: len(theirs)] == pytest.approx(theirs, abs=1e-12)
    assert not held[len(theirs) :].any()


def test_porosity_and_percolation(full: np.ndarray) -> None:
    ms = voxels(~full, periodic=False)  # porespy's pores are the true voxels, connected by faces: our void
    assert 1 - volume_fraction(ms) == pytest.approx(porespy.metrics.porosity(full))
    through = [porespy.metrics.percolating_porosity(full, axis=k) for k in range(3)]
    assert np.multiply(percolation(ms, of="void"), full.mean()) == pytest.approx(through)
