"""Fixtures of the report's tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up import make_sample

from microgen.grid import Grid
from microgen.microstructure import Microstructure
from microgen.provenance import Provenance


@pytest.fixture(scope="session")
def sample() -> Microstructure:
    provenance = Provenance(
        "polycrystal",
        {"tolerance": 0.01, "threshold": 5.0, "min_pixels": 10, "size": {"quantiles": list(range(999))}},
        seed=41,
        inputs={"maps/steel.ang": "c0ffee"},
        achieved={"volume_error_max_400": 0.0087, "subvoxel_error_max": 0.002, "island_voxels": 3},
    )
    return replace(make_sample(Grid((20, 18, 16), (0.5,) * 3, periodic=(True,) * 3)), provenance=provenance)
