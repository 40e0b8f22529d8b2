"""Solids against solids: blocks, what is done to them, distances with known answers, and noise floors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from microgen import Grid, Microstructure, Phase, Target, compare
from microgen.descriptors.distribution import Distribution
from microgen.errors import InvalidParameter
from microgen.fitting.volume_statistics import KNOTS, block_floor, condensed
from microgen.fitting.volume_target import VolumeTarget, blocks, cleaned, coarsened


def material(n: int, *, seed: int = 0, width: float = 2.5, share: float = 0.3, spacing: float = 1.0) -> Microstructure:
    """A random solid: a blurred field above a level."""
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((n, n, n)), width, mode="wrap")
    return as_solid(field > np.quantile(field, 1 - share), spacing)


def as_solid(full: np.ndarray, spacing: float = 1.0) -> Microstructure:
    grid = Grid(full.shape, (spacing,) * 3)
    return Microstructure(grid, np.where(full, 0, -1).astype(np.int16), (Phase("solid"),))


def test_a_volume_is_like_itself() -> None:
    ms = material(48)
    found = compare(ms, Target.from_volume(ms), seed=0)
    assert all(s.distance == pytest.approx(0, abs=1e-9) and s.inside for s in found.values())


def test_the_same_material_is_inside_and_another_is_not() -> None:
    target = Target.from_volume(material(64, seed=1))
    same = compare(material(64, seed=2), target, seed=0)
    other = compare(material(64, seed=2, width=3.5), target, seed=0)
    assert sum(s.inside for s in same.values()) >= len(same) - 1
    assert not other["thickness"].inside
    assert not other["chord_length"].inside
    assert other["volume_fraction"].inside


def test_lengths_carry_the_unit_and_shares_do_not() -> None:
    one, two = (Target.from_volume(material(48, spacing=h)).statistics for h in (1.0, 2.5))
    for name, power in (("volume_fraction", 0), ("thickness", 1), ("chord_length", 1), ("kappa_1", -1)):
        assert two[name] == pytest.approx(2.5**power * one[name], rel=1e-5)
    assert two["euler_density"] == pytest.approx(one["euler_density"] / 2.5**3, rel=1e-5)


def test_voxels_of_another_size_are_taken_together_or_interpolated() -> None:
    coarse = material(64)
    target = Target.from_volume(coarse, factor=1)
    fine = as_solid(coarse.phase_id.repeat(2, 0).repeat(2, 1).repeat(2, 2) >= 0, 0.5)
    assert all(s.distance < 1e-6 for s in compare(fine, target, seed=0).values())
    odd = as_solid(coarse.phase_id >= 0, 1.25)
    assert compare(odd, target, seed=0)["volume_fraction"].distance < 0.02


def test_specks_are_taken_away_and_counted() -> None:
    full = np.zeros((20, 20, 20), bool)
    full[5:15, 5:15, 5:15] = True
    speckled = full.copy()
    speckled[0, 0, 0] = speckled[18, 18, 17] = True
    speckled[9, 9, 9] = False
    found, changed = cleaned(speckled)
    assert changed == 3
    np.testing.assert_array_equal(found, full)


def test_halves_of_voxels_do_not_shift_the_share() -> None:
    half = np.zeros((16, 16, 16), bool)
    half[:, :, ::2] = True  # every voxel of two is half solid
    assert coarsened(half, 2).mean() == 0.5
    np.testing.assert_array_equal(coarsened(half, 1), half)


def test_blocks_fill_the_volume_once() -> None:
    full = np.arange(6 * 4 * 4).reshape(6, 4, 4) % 5 == 0
    parts = blocks(full, (1.0,) * 3, (3, 2, 2))
    assert len(parts) == 8
    assert sum(int((p.phase_id >= 0).sum()) for p in parts) == full.sum()
    assert not any(any(p.grid.periodic) for p in parts)


@pytest.mark.parametrize("n", [10, 5000])
def test_condensing_keeps_mean_and_weight(n: int) -> None:
    rng = np.random.default_rng(n)
    d = Distribution(rng.lognormal(size=n), rng.random(n))
    short = condensed(d)
    assert len(short) == min(n, KNOTS)
    assert short.mean == pytest.approx(d.mean, rel=1e-9)
    assert short.weights.sum() == pytest.approx(d.weights.sum())


def test_the_floor_of_blocks_is_that_of_their_mean() -> None:
    """Of n independent numbers: the means of two resamples differ by sd sqrt(1/n + 1/m) about 0.67 times (median)."""
    values = np.random.default_rng(0).standard_normal(40).tolist()
    median, p95 = block_floor(values, 10, lambda a, b: abs(np.mean(a) - np.mean(b)), np.random.default_rng(1))
    spread = np.std(values) * np.sqrt(1 / 40 + 1 / 10)
    assert median == pytest.approx(0.674 * spread, rel=0.25)
    assert p95 == pytest.approx(1.96 * spread, rel=0.25)
    assert np.isnan(block_floor(values[:1], 10, lambda a, b: 0.0, np.random.default_rng(1))).all()


@pytest.mark.parametrize("full", [np.zeros((40, 40, 40), bool), np.ones((40, 40, 40), bool)], ids=["void", "solid"])
def test_one_phase_is_refused(full: np.ndarray) -> None:
    with pytest.raises(InvalidParameter, match="solid and void"):
        VolumeTarget.measure(as_solid(full))


def test_too_small_volumes_are_refused_and_small_ones_warned_of() -> None:
    with pytest.raises(InvalidParameter, match="at least 32 voxels"):
        VolumeTarget.measure(material(24))
    assert any("walls and gaps" in text for text in VolumeTarget.measure(material(40, width=5)).caveats)


def test_samples_smaller_than_a_block_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="or more"):
        compare(material(20), Target.from_volume(material(64)), seed=0)
