"""The solid of levels sets, phases and grains, and its share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen.descriptors.solid import solid, volume_fraction
from microgen.errors import InvalidParameter
from microgen.grid import HexGrid
from microgen.microstructure import Microstructure
from tests.descriptors.shapes import level, plate, voxels


def test_level_set_wins_over_phases_unless_one_is_named() -> None:
    ms = replace(level(plate(8, 2)), phase_id=np.full((8, 8, 8), 1, np.int16))
    assert solid(ms).mean() == 0.5
    assert solid(ms, phase=1).all()


def test_phase_is_picked() -> None:
    phase_id = np.repeat(np.array([-1, 0, 1, 1], np.int16), 4).reshape(4, 4)
    ms = replace(voxels(np.ones((4, 4), bool)), phase_id=phase_id)
    assert [volume_fraction(ms), volume_fraction(ms, phase=1)] == [0.75, 0.5]


@pytest.mark.parametrize("phase", [3, -1])
def test_phase_that_is_nowhere_is_refused(phase: int) -> None:
    with pytest.raises(InvalidParameter, match="one of \\[0\\]"):
        solid(voxels(np.eye(4, dtype=bool)), phase=phase)


def test_what_was_not_measured_does_not_count() -> None:
    full = np.zeros((4, 4), bool)
    full[0] = True
    measured = np.zeros((4, 4), bool)
    measured[:2] = True
    assert volume_fraction(replace(voxels(full), measured=measured)) == 0.5


def test_hexagonal_maps_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="square"):
        solid(Microstructure(HexGrid((4, 4), 1.0), np.zeros((4, 4), np.int16)))
