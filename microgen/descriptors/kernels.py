"""Smooth positive definite kernels between orientations modulo symmetry and between axes, and the MMD they give."""

from __future__ import annotations

import math

import numpy as np

from microgen.errors import InvalidParameter
from microgen.orientation import kernel_exponent, multiply, symmetry_operators

_BLOCK = 1 << 15  # numbers worked on at a time: the powers then stay in the cache


def orientation_gram(a: np.ndarray, b: np.ndarray, laue_group: str, *, half_width: float) -> np.ndarray:
    """K [n, m] = sum over S of |<S a, b>|^(2 kappa): 1 for equal orientations, 1/2 at an angle of `half_width`.

    The de la Vallée Poussin kernel cos(omega/2)^(2 kappa) summed over the group; kappa is rounded to an integer, for
    which each term is a polynomial of positive type. Schaeben, Phys. Status Solidi B 200 (1997) 367. Radians.
    """
    exponent = 2 * max(round(kernel_exponent(half_width)), 1)
    operators = symmetry_operators(laue_group)
    images = multiply(operators[:, None], np.asarray(a, float)[None])
    other = np.ascontiguousarray(np.asarray(b, float).T)
    out = np.zeros((len(a), len(b)))
    rows = max(_BLOCK // max(len(b), 1), 1)
    for start in range(0, len(a), rows):
        for image in images[:, start : start + rows]:
            out[start : start + rows] += _power(image @ other, exponent)
    return out


def kernel_scale(laue_group: str, half_width: float) -> float:
    """Factor that makes the mean of the orientation kernel over all orientations one.

    The mean of cos(omega/2)^(2 kappa) is 2 B(3/2, kappa + 1/2)/pi, and each of the group's operators adds as much.
    """
    kappa = max(round(kernel_exponent(half_width)), 1)
    beta = math.exp(math.lgamma(1.5) + math.lgamma(kappa + 0.5) - math.lgamma(kappa + 2))
    return math.pi / (2 * beta * len(symmetry_operators(laue_group)))


def axial_gram(a: np.ndarray, b: np.ndarray, *, half_width: float) -> np.ndarray:
    """K [n, m] = (a . b)^(2 kappa) of unit vectors [n, d], [m, d] up to sign: 1/2 at an angle of `half_width`, radians.

    An even power of the scalar product is a positive definite kernel on the projective line and plane.
    """
    if not 0 < half_width < math.pi / 2:
        raise InvalidParameter("half_width", expected="an angle between 0 and pi/2, radians", got=half_width)
    kappa = max(round(math.log(0.5) / (2 * math.log(math.cos(half_width)))), 1)
    return _power(np.asarray(a, float) @ np.asarray(b, float).T, 2 * kappa)


def _power(x: np.ndarray, exponent: int) -> np.ndarray:
    """x^exponent by repeated squaring, many times as fast as numpy's own; x is used up."""
    out = None
    while exponent:
        if exponent & 1:
            out = x.copy() if out is None else np.multiply(out, x, out=out)
        exponent >>= 1
        if exponent:
            np.multiply(x, x, out=x)
    return np.ones_like(x) if out is None else out


def mmd(gram: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Kernel maximum mean discrepancy sqrt(s^T K s) of signed shares s [..., n] (one sample's minus the other's).

    The biased estimate (V-statistic) of Gretton et al., JMLR 13 (2012) 723: never negative, 0 for equal samples, and
    about sqrt((1 - mean K)(1/n_a + 1/n_b)) for two samples of one law, which is why it is judged against a floor
    computed for the same counts.
    """
    squared = np.einsum("...i,...i->...", share @ gram, share)
    return np.sqrt(np.maximum(squared, 0.0))
