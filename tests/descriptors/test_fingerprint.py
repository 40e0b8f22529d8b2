"""The fingerprint: its names are those of the atlas, and it scales as the atlas says."""

from __future__ import annotations

import numpy as np
import pytest

from microgen import Grid, Microstructure, Phase, describe
from microgen.atlas import STATISTICS
from microgen.descriptors.fingerprint import fingerprint


def wavy(spacing: float) -> Microstructure:
    """Lamellae across x, a quarter of the volume, with waves."""
    x, y, z = np.meshgrid(*(np.arange(24) / 24 * 2 * np.pi for _ in range(3)), indexing="ij")
    u = np.cos(2 * x + 0.4 * np.sin(y)) - 0.6 + 0.1 * np.cos(z)
    grid = Grid((24, 24, 24), (spacing,) * 3, periodic=(True,) * 3)
    return Microstructure(
        grid, np.where(u > 0, 0, -1).astype(np.int16), (Phase("solid"),), level_set=u.astype(np.float32)
    )


def test_every_figure_scales_by_its_power_of_length() -> None:
    one, large = fingerprint(wavy(1.0)), fingerprint(wavy(2.0))
    assert set(one) == set(STATISTICS)
    for name, power in STATISTICS.items():
        assert large[name] == pytest.approx(one[name] * 2.0**power, rel=1e-5, abs=1e-9, nan_ok=True), name


def test_it_says_what_describe_says() -> None:
    found, told = fingerprint(wavy(1.5)), describe(wavy(1.5))
    for name in ("volume_fraction", "specific_surface", "connectivity_density", "structure_model_index"):
        assert found[name] == told[name]
    for name in ("thickness", "separation", "kappa_1", "kappa_2"):
        assert (found[name], found[f"{name}_sd"]) == (told[name].mean, told[name].sd)
    assert found["euler_density"] == told["euler_number"] / 36.0**3


def test_correlation_falls_by_the_surface_at_first() -> None:
    found = fingerprint(wavy(1.0))
    f, s = found["volume_fraction"], found["specific_surface"]
    assert found["correlation_length"] == pytest.approx(4 * f * (1 - f) / s)
    assert found["correlation_0.5"] == pytest.approx(0.5, abs=0.05)
