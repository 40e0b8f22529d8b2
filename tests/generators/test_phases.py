"""Phases fill their shares whatever the sizes are."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.generators.phases import assign_phases


@pytest.mark.parametrize("fractions", [(1.0,), (0.5, 0.5), (0.9, 0.07, 0.03)])
@pytest.mark.parametrize("growth", [1.0, 8.0])
def test_shares_are_met_within_a_median_grain(fractions: tuple, growth: float) -> None:
    volumes = np.random.default_rng(1).lognormal(0, 1.2, 600)
    factors = [growth] + [1.0] * (len(fractions) - 1)
    phase = assign_phases(volumes, fractions, factors, np.random.default_rng(2))
    grown = volumes * np.array(factors)[phase]
    achieved = np.bincount(phase, grown, len(fractions)) / grown.sum()
    assert np.abs(achieved - fractions).max() <= np.median(grown) / grown.sum()


def test_phases_are_independent_of_size() -> None:
    volumes = np.random.default_rng(1).lognormal(0, 0.5, 20_000)
    phase = assign_phases(volumes, (0.5, 0.5), (1.0, 1.0), np.random.default_rng(2))
    assert volumes[phase == 0].mean() == pytest.approx(volumes[phase == 1].mean(), rel=0.03)
