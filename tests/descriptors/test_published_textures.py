"""The ten published curvature textures: measured here as they were measured for the table beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from microgen.descriptors.curvature import curvature_diagram
from microgen.descriptors.euler import euler_number
from microgen.descriptors.solid import volume_fraction
from microgen.descriptors.surface import crofton_surface, specific_surface
from microgen.descriptors.thickness import separation, thickness
from microgen.io import read
from microgen.microstructure import Microstructure
from tests.descriptors.shapes import level

CASES = (
    *("bilayers", "exp_0366", "exp_0868", "metatubes", "pearls"),
    *("sponge", "tightlayers_2", "trabec_2", "trabec_3", "tubes"),
)
WIDE = ("pearls", "tightlayers_2")
"""Their table was made with 16 voxels repeated around the box, less than the radii of their pores."""


@dataclass(frozen=True)
class Case:
    name: str
    ms: Microstructure
    table: dict[str, float]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, real_data: Path) -> Case:
    folder = real_data / "curvatubes"
    facts = json.loads((folder / "cases.json").read_text())[request.param]
    grey = read(folder / f"{request.param}.nii.gz").grey
    assert grey is not None
    return Case(request.param, level(grey + np.float32(0.005 * facts.get("quantised", False))), facts["statistics"])


def test_exact_counts(case: Case) -> None:
    assert volume_fraction(case.ms) == pytest.approx(case.table["volume_fraction"], abs=1e-4)
    assert euler_number(case.ms) == case.table["euler_characteristic"]


def test_surface(case: Case) -> None:
    assert specific_surface(case.ms) == pytest.approx(case.table["surface_per_volume_px"], rel=0.011)
    assert crofton_surface(case.ms) == pytest.approx(case.table["surface_per_volume_px"], rel=0.015)


def test_curvatures(case: Case) -> None:
    diagram = curvature_diagram(case.ms)
    for name in ("kappa_1", "kappa_2"):
        # 100 voxels a unit of length. The gradient of quantised layers vanishes at places, where it has no direction.
        assert diagram.distribution(name).mean * 100 == pytest.approx(case.table[name], rel=0.05, abs=0.1)


def test_thickness(case: Case) -> None:
    found = thickness(case.ms)
    assert found.mean == pytest.approx(case.table["thickness_px"], rel=0.05)
    assert found.sd == pytest.approx(case.table["thickness_sd_px"], rel=0.2)


def test_separation(case: Case) -> None:
    found = separation(case.ms)
    rel = 0.16 if case.name in WIDE else 0.015
    assert found.mean == pytest.approx(case.table["separation_px"], rel=rel)
