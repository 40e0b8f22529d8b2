"""Everything at once: which names come for which material, and that the values are those of the single functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import microgen
from microgen.descriptors.curve import Curve
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.thickness import thickness
from microgen.errors import InvalidParameter
from microgen.microstructure import Phase
from tests.descriptors.shapes import centred, gyroid, level, voxels

SOLID = {"volume_fraction", "specific_surface", "euler_number", "connectivity_density", "components", "thickness"}
SOLID |= {"separation", "degree_of_anisotropy", "two_point_correlation", "percolation_x", "chord_length_y"}


def test_level_set_has_all() -> None:
    ms = level(gyroid(24), h=2.0)
    found = microgen.describe(ms)
    assert set(found) >= SOLID | {"structure_model_index", "kappa_1", "kappa_2", "lineal_path_z"}
    assert found["euler_number"] == -4
    assert found["volume_fraction"] == pytest.approx(0.5, abs=0.01)
    assert isinstance(found["thickness"], Distribution)
    assert found["thickness"].mean == thickness(ms).mean
    assert isinstance(found["two_point_correlation"], Curve)


def test_voxels_have_no_curvatures_and_planes_no_model_index() -> None:
    assert "kappa_1" not in microgen.describe(voxels(gyroid(16) > 0))
    plane = microgen.describe(voxels(np.hypot(*centred(20, 2)) < 6))
    assert set(plane) >= SOLID
    assert not {"structure_model_index", "percolation_z"} & set(plane)


def test_diffusivity_is_asked_for() -> None:
    found = microgen.describe(voxels(gyroid(12) > 0), diffusivity=True)
    assert 0 < found["effective_diffusivity_void_x"] < 0.5  # type: ignore[operator]
    assert found["effective_diffusivity_solid_z"] == pytest.approx(found["effective_diffusivity_solid_y"], rel=0.05)


def test_grains_have_sizes_and_neighbours() -> None:
    labels = np.repeat(np.arange(1, 5, dtype=np.int32), 16).reshape(4, 4, 4).repeat(2, axis=0)
    ms = replace(voxels(labels > 0), grain_id=labels, phases=(Phase("iron"),))
    found = microgen.describe(ms)
    assert set(found) == {
        *("grains", "interior_grains", "equivalent_diameter", "aspect_ratio", "neighbours", "phase_fraction_iron")
    }
    assert (found["grains"], found["neighbours"].mean) == (4, 2)  # type: ignore[union-attr]


def test_a_phase_of_grains_is_a_solid() -> None:
    labels = np.ones((6, 6), np.int32)
    labels[:3] = 2
    ms = replace(voxels(labels > 0), grain_id=labels, phase_id=(labels - 1).astype(np.int16))
    assert microgen.describe(ms, phase=1)["volume_fraction"] == 0.5


@pytest.mark.parametrize("full", [np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool)])
def test_solid_and_void_are_needed(full: np.ndarray) -> None:
    with pytest.raises(InvalidParameter, match="solid and void"):
        microgen.describe(voxels(full))


def test_progress_is_told() -> None:
    told: list[float] = []
    microgen.describe(voxels(gyroid(12) > 0), progress=lambda fraction, message: told.append(fraction))
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] < 1
