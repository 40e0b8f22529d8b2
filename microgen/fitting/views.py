"""Planes of a material seen from several sides: which axes of the sample lie along a map, and what maps tell together.

A plane is named by the sample axes along the map's x and y: "xy" is across z, "yz" across x, "xz" across y.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from microgen.descriptors.distribution import Distribution
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure
from microgen.orientation import conjugate, multiply

PLANES = ("xy", "yz", "xz", "yx", "zy", "zx")
DIRECTED = ("equivalent_diameter", "aspect_ratio", "axis_angle", "size_and_shape")
"""Statistics that depend on the side a material with a fabric is seen from."""

Maps = Mapping[str, Sequence[Microstructure]]
"""Segmented maps by the name of their plane."""


def check_plane(plane: str) -> None:
    """Raises InvalidParameter for what is no name of a plane."""
    if plane not in PLANES:
        remedy = "Name the axes of the sample along the map's x and y."
        raise InvalidParameter("plane", expected=f"one of {', '.join(PLANES)}", got=plane, remedy=remedy)


def axes(plane: str) -> tuple[int, int, int]:
    """Numbers of the sample axes along the map's x and y, and across it."""
    i, j = ("xyz".index(letter) for letter in plane)
    return i, j, 3 - i - j


def frame(plane: str) -> np.ndarray:
    """The quaternion [4] whose product with an orientation of the sample, from the right, is that seen in the map."""
    i, j, _ = axes(plane)
    rows = np.zeros((3, 3))
    rows[0, i] = rows[1, j] = 1.0
    rows[2] = np.cross(rows[0], rows[1])
    x, y, z, w = Rotation.from_matrix(rows).as_quat()
    return np.array([w, x, y, z])


def seen(orientation: np.ndarray, plane: str) -> np.ndarray:
    """Orientations [..., 4] of the sample in the frame of a map of this plane."""
    return orientation if plane == "xy" else multiply(orientation, frame(plane))


def in_sample_frame(ms: Microstructure, plane: str) -> Microstructure:
    """A map with its orientations turned from its own frame into that of the sample."""
    if plane == "xy":
        return ms
    back = conjugate(frame(plane))
    points = None if ms.orientation is None else multiply(ms.orientation, back)
    grains = None if ms.grains is None else replace(ms.grains, orientation=multiply(ms.grains.orientation, back))
    return replace(ms, orientation=points, grains=grains)


def together(maps: Maps) -> list[Microstructure]:
    """All maps, in the frame of the sample."""
    return [in_sample_frame(ms, plane) for plane, parts in maps.items() for ms in parts]


@dataclass(frozen=True)
class Alignment:
    """A preferred axis of the grains, as the long axes of their sections show it."""

    axis: tuple[float, float, float]
    """Symmetry axis: along long grains, across flat ones."""
    flat: bool
    """Long axes lie across the axis rather than along it."""
    strength: float
    """0 where it is no more than chance, 1 for one direction alone."""


def alignment(angles: Mapping[str, Distribution]) -> Alignment:
    """The uniaxial fabric nearest to the in-plane angles of the long axes, from two planes or more.

    Of the tensor T that the long axes have on average, a plane of axes i, j shows r = <exp(2 i angle)>, in proportion
    to T_ii - T_jj + 2 i T_ij. T comes from all planes by least squares; its eigenvalue of largest size gives the axis.
    """
    shown = {plane: resultant(of) for plane, of in angles.items()}
    values, vectors = np.linalg.eigh(_tensor(shown))
    flat = bool(-values[0] > values[2])
    axis = vectors[:, 0 if flat else 2]
    axis = axis if axis[np.abs(axis).argmax()] > 0 else -axis
    x, y, z = (round(float(a), 6) for a in axis)
    energy = sum(len(of) * abs(shown[plane]) ** 2 for plane, of in angles.items())
    chance = energy <= chi2.ppf(0.95, 2 * len(angles)) / 2  # Rayleigh's test, of all planes together
    found = Alignment((x, y, z), flat, 0.0)
    return found if chance else replace(found, strength=min(max(along(shown, found), 0.0), 0.95))


def along(shown: Mapping[str, complex], fabric: Alignment) -> float:
    """Share of the planes' resultants that goes with an axis n: of a plane i, j, where (n_i + i n_j)² is expected."""
    expected = {plane: complex(*(fabric.axis[k] for k in axes(plane)[:2])) ** 2 for plane in shown}
    common = sum((r * expected[plane].conjugate()).real for plane, r in shown.items())
    share = common / max(sum(abs(p) ** 2 for p in expected.values()), 1e-12)
    return -share if fabric.flat else share


def misalignment(wanted: Mapping[str, complex], shown: Mapping[str, complex]) -> float:
    """Difference of the resultants, root mean square over the planes."""
    return math.sqrt(sum(abs(wanted[plane] - shown[plane]) ** 2 for plane in wanted) / len(wanted))


def resultant(angles: Distribution) -> complex:
    """Mean of exp(2 i angle): its modulus is 0 for no preferred axis and 1 for one axis, its angle twice the axis."""
    return complex(np.sum(angles.share * np.exp(2j * angles.values)))


def _tensor(shown: Mapping[str, complex]) -> np.ndarray:
    """Symmetric and traceless, [3, 3]: what two planes leave open is as small as it may be."""
    names = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))
    rows, values = [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]], [0.0]
    for plane, r in shown.items():
        i, j, _ = axes(plane)
        difference, product = [0.0] * 6, [0.0] * 6
        difference[i], difference[j] = 1.0, -1.0
        product[names.index((min(i, j), max(i, j)))] = 2.0
        rows, values = [*rows, difference, product], [*values, r.real, r.imag]
    found = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    tensor = np.zeros((3, 3))
    for (i, j), value in zip(names, found):
        tensor[i, j] = tensor[j, i] = value
    return tensor
