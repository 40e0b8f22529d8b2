"""Colours of IPF maps and planes of pole figures held against orix, for all Laue groups.

Of the colours only the sector comes from orix: which direction of it each orientation shows. Inside it orix (like MTEX)
whitens the middle, where EDAX and DREAM.3D do not, so its own colours agree with ours at the corners only.

All tests with orix are in this file, which one process runs: two that compile its functions at the same moment can
leave Numba's cache in a state that crashes both (see microgen/compiled.py).
"""

from __future__ import annotations

import numpy as np
import pytest

from microgen.microstructure import Phase
from microgen.orientation import LAUE_GROUPS, conjugate, from_euler, ipf_color, multiply, random_orientations
from microgen.report.crystal_planes import planes_of

pytest.importorskip("orix", reason="orix (GPL) is a test oracle of the dev extra and not installed here")

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
SCHOENFLIES = dict(zip(LAUE_GROUPS, ["Ci", "C2h", "D2h", "S6", "D3d", "C4h", "D4h", "C6h", "D6h", "Th", "Oh"]))
AZIMUTHS = {"2/m": 180, "mmm": 90, "-3": 120, "4/m": 90, "4/mmm": 45, "6/m": 60, "6/mmm": 30, "m-3": 90, "m-3m": 45}
"""Of the blue corner (degrees) in orix's sector; the green one lies at 0."""


def their_symmetry(laue_group: str):
    from orix.quaternion import symmetry

    return getattr(symmetry, SCHOENFLIES[laue_group])


def their_orientations(q: np.ndarray, laue_group: str):
    """The same orientations as orix has them: it stores the other sense, and its monoclinic axis lies along z."""
    from orix.quaternion import Orientation

    if laue_group == "2/m":  # y and z change places, and x its sign
        q = multiply(np.sqrt([0.0, 0.0, 0.5, 0.5]), q)
    return Orientation(conjugate(q), their_symmetry(laue_group))


def sector_directions(q: np.ndarray, laue_group: str, axis: str) -> np.ndarray:
    """Crystal directions along a sample axis, in the standard sector as orix finds it, in microgen's crystal frame."""
    from orix.vector import Vector3d

    along = their_orientations(q, laue_group) * Vector3d(AXES[axis])
    h = along.in_fundamental_sector(their_symmetry(laue_group)).data
    return h[:, [0, 2, 1]] * (-1, 1, 1) if laue_group == "2/m" else h


def tsl(h: np.ndarray, laue_group: str) -> np.ndarray:
    """The rule written down once more, from directions in the sector."""
    eta = np.degrees(np.arctan2(h[:, 1], h[:, 0])) % 360
    chi, widest = np.arccos(np.clip(h[:, 2], -1, 1)), np.pi / 2
    # The sector of -3m lies around 0, mirrored.
    turn = (30 - (eta + 180) % 360 + 180) / 60 if laue_group == "-3m" else eta / AZIMUTHS.get(laue_group, 360)
    if laue_group in ("m-3", "m-3m"):
        widest = np.arctan(1 / np.maximum(np.cos(np.radians(eta)), np.sin(np.radians(eta))))
    tilt = chi / widest
    rgb = np.sqrt(np.clip([1 - tilt, (1 - turn) * tilt, turn * tilt], 0, None)).T
    return 255 * rgb / rgb.max(1, keepdims=True)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("laue_group", LAUE_GROUPS)
def test_orientations_show_the_direction_that_orix_finds(laue_group: str, axis: str) -> None:
    q = random_orientations(2000, np.random.default_rng(7))
    h = sector_directions(q, laue_group, axis)
    # Of m-3, orix leaves one direction in a thousand just outside its own sector.
    inside = (h[:, :2] <= h[:, 2:]).all(1) if laue_group == "m-3" else np.full(len(h), True)
    off = np.abs(ipf_color(q, laue_group, AXES[axis]).astype(float) - tsl(h, laue_group)).max(1)
    assert inside.mean() > 0.995
    assert off[inside].max() <= 1


@pytest.mark.parametrize("laue_group", ["mmm", "4/m", "4/mmm", "6/m", "6/mmm", "m-3m"])
def test_corners_have_the_colours_of_orix(laue_group: str) -> None:
    from orix.plot import IPFColorKeyTSL

    widest = np.arctan(1.0) if laue_group == "m-3m" else np.pi / 2
    far = (0.999 * widest, np.radians(0.999 * AZIMUTHS[laue_group]))
    blue = 0.999 * np.arctan(np.sqrt(2)) if laue_group == "m-3m" else far[0]
    chi, eta = np.array([[0.001, 0.001], [far[0], 0.001], [blue, far[1]]]).T
    q = from_euler(0.0, chi, np.pi / 2 - eta)
    theirs = IPFColorKeyTSL(their_symmetry(laue_group)).orientation2color(their_orientations(q, laue_group))
    ours = ipf_color(q, laue_group)
    assert ours.argmax(1).tolist() == np.asarray(theirs).argmax(1).tolist() == [0, 1, 2]
    assert np.abs(ours / 255 - theirs).max() < 0.15


LATTICES = {
    "m-3m": ("m-3m", (3.6, 3.6, 3.6, 90, 90, 90), [(0, 0, 1), (0, 1, 1), (1, 1, 1)]),
    "6/mmm": ("6/mmm", (2.95, 2.95, 4.686, 90, 90, 120), [(0, 0, 1), (1, 0, 0), (1, 0, 1)]),
    "-3m": ("-3m", (4.99, 4.99, 17.06, 90, 90, 120), [(0, 0, 1), (1, 0, 0), (1, 0, 1)]),
    "4/mmm": ("4/mmm", (5.8, 5.8, 3.2, 90, 90, 90), [(0, 0, 1), (1, 0, 0), (1, 1, 0)]),
    "mmm": ("mmm", (3.0, 4.0, 5.0, 90, 90, 90), [(1, 0, 0), (0, 1, 0), (0, 0, 1)]),
    "2/m": ("2/m", (5.0, 9.0, 6.0, 90, 104, 90), [(1, 0, 0), (0, 1, 0), (0, 0, 1)]),
    "-1": ("-1", (5.0, 7.0, 6.0, 85, 104, 97), [(1, 0, 0), (0, 1, 0), (0, 0, 1)]),
}


@pytest.mark.parametrize("name", LATTICES)
def test_angles_between_planes_are_those_of_orix(name: str) -> None:
    from diffpy.structure import Lattice, Structure
    from orix import crystal_map
    from orix.vector import Miller

    group, cell, indices = LATTICES[name]
    phase = crystal_map.Phase(point_group=group, structure=Structure(lattice=Lattice(*cell)))
    theirs = [Miller(hkl=[hkl], phase=phase).unit.data[0] for hkl in indices]
    ours = [normals[0] for _, normals in planes_of(Phase("any", name, cell))]
    if group in ("2/m", "-1"):
        assert np.abs(ours[0] @ np.array(ours).T) == pytest.approx(np.abs(theirs[0] @ np.array(theirs).T), abs=1e-6)
        assert np.abs(ours[1] @ ours[2]) == pytest.approx(np.abs(theirs[1] @ theirs[2]), abs=1e-6)
        return
    for k, (_, normals) in enumerate(planes_of(Phase("any", name, cell))):
        all_theirs = Miller(hkl=[indices[k]], phase=phase).symmetrise(unique=True).unit.data
        assert np.abs(normals @ all_theirs.T).max(1) == pytest.approx(1, abs=1e-6)
        assert np.abs(normals @ all_theirs.T).max(0) == pytest.approx(1, abs=1e-6)
