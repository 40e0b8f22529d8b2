"""Orientations of the grains of a phase and how far from random they are."""

from __future__ import annotations

import math

import numpy as np

from microgen.descriptors.grains import counted, grain_measure
from microgen.descriptors.kernels import kernel_scale, orientation_gram
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure


def mean_orientations(
    ms: Microstructure, phase_id: int = 0, *, interior: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Mean orientations [n, 4] of a phase's grains on this grid, and their areas (µm²; volumes, µm³) [n] as weights."""
    if ms.grains is None:
        raise InvalidParameter("ms", expected="a microstructure with a table of grains", got=None)
    rows = counted(ms, interior=interior)
    rows = rows[ms.grains.phase_id[rows] == phase_id]
    return ms.grains.orientation[rows], grain_measure(ms)[rows]


def texture_index(
    q: np.ndarray, laue_group: str, *, weights: np.ndarray | None = None, half_width: float = math.radians(12)
) -> float:
    """Texture index J = integral of f² of orientations [n, 4], 1 for a random texture (in multiples of it).

    f is the kernel estimate with the de la Vallée Poussin kernel; J = sum over i != j of w_i w_j K(g_i, g_j) over the
    same sum of w_i w_j: a grain is not paired with itself, which would add about its share of a sharp peak. Bunge,
    Texture Analysis in Materials Science (1982), eq. 4.213. Needs two orientations, else InvalidParameter.
    """
    if len(q) < 2:
        raise InvalidParameter("q", expected="two or more orientations", got=len(q))
    w = np.ones(len(q)) if weights is None else np.asarray(weights, float)
    gram = orientation_gram(q, q, laue_group, half_width=half_width)
    np.fill_diagonal(gram, 0.0)
    return float(w @ gram @ w / (w.sum() ** 2 - w @ w) * kernel_scale(laue_group, half_width))
