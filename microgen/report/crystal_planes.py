"""Lattice planes that pole figures show, and their normals in the crystal frame of `microgen.orientation`."""

from __future__ import annotations

import math

import numpy as np

from microgen.microstructure import Phase
from microgen.orientation import rotate, symmetry_operators

BAR = "\u0305"
"""Combining overline: it stands after its digit."""
HEXAGONAL = ("-3", "-3m", "6/m", "6/mmm")


def planes_of(phase: Phase) -> list[tuple[str, np.ndarray]]:
    """Names of three families of planes and the unit normals of each, float64 [k, 3], up to sign.

    Cubic {001} {011} {111}; hexagonal and trigonal (0001) (10-10) (10-11), the last one (11-20) where c/a is unknown;
    tetragonal {001} {100} {110}; else (100) (010) (001), or the axes of the crystal frame where the lattice is unknown.
    """
    laue = phase.laue_group
    if laue.startswith("m-3"):
        named = [("{001}", (0, 0, 1)), ("{011}", (0, 1, 1)), ("{111}", (1, 1, 1))]
    elif laue in HEXAGONAL:
        named = _hexagonal(_ratio(phase.lattice))
    elif laue.startswith("4/m"):
        named = [("{001}", (0, 0, 1)), ("{100}", (1, 0, 0)), ("{110}", (1, 1, 0))]
    else:
        named = _oblique(phase.lattice)
    return [(name, _family(np.array(normal, float), laue)) for name, normal in named]


def _hexagonal(ratio: float) -> list[tuple[str, tuple[float, float, float]]]:
    """a lies along x; the normal of (10-10) then lies 30° off it, and that of (10-11) is tilted by c/a."""
    c, s = math.sqrt(3) / 2, 0.5
    named = [("(0001)", (0.0, 0.0, 1.0)), (f"(101{BAR}0)", (c, s, 0.0))]
    if ratio:
        return [*named, (f"(101{BAR}1)", (c, s, math.sqrt(3) / (2 * ratio)))]
    return [*named, (f"(112{BAR}0)", (s, c, 0.0))]


def _ratio(lattice: tuple[float, ...]) -> float:
    """c/a of hexagonal axes, also from rhombohedral ones; 0 where it is unknown."""
    if len(lattice) < 6 or not all(math.isfinite(x) and x > 0 for x in lattice):
        return 0.0
    a, _, c, alpha, beta, gamma = lattice
    if abs(gamma - 120) < 1:
        return c / a
    if max(abs(alpha - beta), abs(beta - gamma)) < 0.1 and alpha < 119.9:
        cosine = math.cos(math.radians(alpha))
        return math.sqrt(1.5 * (1 + 2 * cosine) / (1 - cosine))
    return 0.0


def _oblique(lattice: tuple[float, ...]) -> list[tuple[str, np.ndarray]]:
    """Normals of (100), (010), (001) with c along z and the normal of (010) along y."""
    if len(lattice) < 6:
        return list(zip(("x", "y", "z"), np.eye(3)))
    alpha, beta, gamma = np.radians(lattice[3:6])
    cosine = (np.cos(beta) * np.cos(alpha) - np.cos(gamma)) / (np.sin(beta) * np.sin(alpha))  # of the angle a*, b*
    turn = math.acos(float(np.clip(cosine, -1, 1)))
    a = np.array([math.sin(beta), 0.0, math.cos(beta)])
    b = np.array([math.sin(alpha) * -math.cos(turn), math.sin(alpha) * math.sin(turn), math.cos(alpha)])
    return [("(100)", np.cross(b, (0, 0, 1))), ("(010)", np.array([0.0, 1.0, 0.0])), ("(001)", np.cross(a, b))]


def _family(normal: np.ndarray, laue_group: str) -> np.ndarray:
    """All symmetric equivalents of a normal, one of each and its opposite."""
    normals = rotate(symmetry_operators(laue_group), normal / np.linalg.norm(normal))
    apart = np.abs(normals @ normals.T) < 1 - 1e-9
    return normals[[k for k in range(len(normals)) if apart[k, :k].all()]]
