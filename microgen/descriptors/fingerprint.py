"""A fingerprint of a texture: some twenty numbers that are quick to measure, for atlases and look-up."""

from __future__ import annotations

import numpy as np

from microgen.descriptors.correlation import two_point_correlation
from microgen.descriptors.curvature import curvature_diagram
from microgen.descriptors.euler import connectivity_density, euler_number
from microgen.descriptors.solid import volume_fraction, voxel_grid
from microgen.descriptors.structure_model_index import structure_model_index
from microgen.descriptors.surface import specific_surface
from microgen.descriptors.thickness import separation, thickness
from microgen.microstructure import Microstructure

LAGS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Distances of the short correlation curve, in correlation lengths."""


def fingerprint(ms: Microstructure) -> dict[str, float]:
    """Numbers of the solid u > 0 of a volume with a level set, in powers of the unit of its spacing.

    euler_density is the Euler number per volume; X_sd is the standard deviation of X (by volume, curvatures by area).
    correlation_length is l = 4 f (1 - f) / S, f the volume fraction and S the specific surface: the autocovariance
    (S2(r) - f²) / (f - f²) falls from 1 with the slope -1/l (Debye, Anderson & Brumberger, J. Appl. Phys. 28 (1957)
    679), and correlation_X is its value at r = X l, nan beyond half the box. Raises InvalidParameter for a plane.
    """
    fraction, surface = volume_fraction(ms), specific_surface(ms)
    length = 4 * fraction * (1 - fraction) / surface if surface > 0 else float("nan")
    found = {
        "volume_fraction": fraction,
        "specific_surface": surface,
        "euler_density": euler_number(ms) / float(np.prod(voxel_grid(ms).lengths)),
        "connectivity_density": connectivity_density(ms),
        "structure_model_index": structure_model_index(ms),
    }
    diagram = curvature_diagram(ms)
    spreads = [thickness(ms), separation(ms), *(diagram.distribution(name) for name in ("kappa_1", "kappa_2"))]
    for spread in spreads:
        found |= {spread.name: spread.mean, f"{spread.name}_sd": spread.sd}
    found |= {name: diagram.distribution(name).mean for name in ("mean_curvature", "gauss_curvature")}
    return found | {"correlation_length": length, **_correlation(ms, fraction, length)}


def _correlation(ms: Microstructure, fraction: float, length: float) -> dict[str, float]:
    """The autocovariance at LAGS."""
    curve = two_point_correlation(ms)
    lags = np.array(LAGS) * length
    values = np.interp(lags, curve.x, (curve.y - fraction**2) / max(fraction * (1 - fraction), 1e-300))
    values = np.where(lags <= curve.x[-1], values, np.nan)
    return {f"correlation_{lag:g}": float(value) for lag, value in zip(LAGS, values)}
