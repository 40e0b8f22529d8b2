"""IPF colours held against orix: which direction of the standard sector each orientation shows, for all Laue groups.

Only the sector comes from orix. Inside it orix (like MTEX) whitens the middle, where EDAX and DREAM.3D do not, so its
own colours agree with ours at the corners only.
"""

from __future__ import annotations

import numpy as np
import pytest

from microgen.orientation import LAUE_GROUPS, conjugate, from_euler, ipf_color, multiply, random_orientations

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
