"""Presets of `Curvatubes`: coefficients that give a material, and where they come from.

Published sets are those of Song 2022 (JMIV 64, "Generation of tubular and membranous shape textures with curvature
functionals") and of the gallery that belongs to it, at eps = 0.02 and dx = 0.01. Coefficients are in 1/length of that
unit; how thick the solid becomes in it has been measured, so that `step_for` finds the dx that gives a thickness in µm.
Materials point to the published set that resembles them.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgen.errors import InvalidParameter


@dataclass(frozen=True)
class Preset:
    """Coefficients (a20, a11, a02, b10, b01, c), mass, and a line on what they give and on their source."""

    coefficients: tuple[float, float, float, float, float, float]
    mass: float
    looks: str
    source: str
    thickness: float
    """Mean local thickness of the solid in the unit of length of the coefficients; of three seeds of 80³ voxels."""
    dx: float = 0.01
    """What a voxel measures in that unit when nothing else is said: for a material, so that 20 µm suit it."""


def step_for(name: str, thickness: float, spacing: float, *, eps: float = 0.02) -> float:
    """The dx with which the solid of a preset is `thickness` thick (on average) on voxels of `spacing`, both in µm.

    Raises InvalidParameter for an unknown preset, and where eps would span less than 1.5 voxels.
    """
    if name not in PRESETS:
        raise InvalidParameter("preset", expected="one of " + ", ".join(PRESETS), got=name)
    least = 1.5 * PRESETS[name].thickness / eps * spacing
    if not (thickness >= least * (1 - 1e-9) and 0 < thickness < float("inf")):
        remedy = f"Voxels of {thickness / least * spacing:.3g} µm or less would do." if 0 < thickness < least else ""
        raise InvalidParameter(
            "thickness", expected=f"at least {least:.3g} µm for {name}", got=thickness, remedy=remedy
        )
    return PRESETS[name].thickness * spacing / thickness


_PAPER = "Song 2022, JMIV 64"
_GALLERY = "gallery of Song 2022, JMIV 64"

PRESETS: dict[str, Preset] = {
    "trabecular-bone": Preset(
        (1.069, 0.958, 6.074, -83.758, -7.676, 1767.964),
        -0.445,
        "rods and plates of cancellous bone, one connected solid",
        f"{_GALLERY}: trabec",
        0.0588,
        dx=0.008,
    ),
    "aluminium-foam": Preset(
        (2.0, 1.823, 12.0, -127.7, -10.77, 2099.0),
        -0.68,
        "open-cell metal foam: slender ligaments that meet in nodes, porosity 0.89",
        f"{_GALLERY}: trabec, lengths x 1.3 and less mass",
        0.0619,
    ),
    "polymer-foam": Preset(
        # Wanted: area (c far below zero) that bends around voids (b10, b01 > 0: negative curvature is cheap) and has no
        # rims of windows, whose kappa_1 is large; a11 < 0 rewards Gauss curvature above zero, so one ball a void.
        (1.0, -0.5, 1.0, 500.0, 300.0, -9000.0),
        -0.25,
        "closed-cell foam: thin walls around separate convex voids",
        "found for microgen: area rewarded where the solid is concave",
        0.0456,
    ),
    "lamina-cribrosa": Preset(
        (0.946, 3.959, 1.942, 18.329, 28.008, 113.771),
        -0.534,
        "perforated sheets, as in the lamina cribrosa of the eye",
        f"{_GALLERY}: sieve",
        0.0783,
    ),
    "endoplasmic-reticulum": Preset(
        (1.0, 2.221, 2.667, -103.614, 154.632, -1633.36),
        -0.745,
        "a tortuous network of thin tubules",
        f"{_GALLERY}: tortuous",
        0.0504,
    ),
    "sponge": Preset(
        (1.0, 2.8, 2.0, -10.0, -10.0, 25.0),
        -0.25,
        "bicontinuous sponge of saddles",
        f"{_PAPER}: h2=1, H0=5, kg=0.8, t=1",
        0.0792,
    ),
    "tubes": Preset(
        (1.0, 2.0, 6.0, -40.0, -40.0, 400.0),
        -0.6,
        "winding tubes of one radius that seldom meet",
        f"{_GALLERY}: tubes",
        0.0856,
    ),
    "bilayers": Preset(
        (1.0, 1.0, 1.0, 0.0, 0.0, 0.0),
        -0.4,
        "lamellae that keep coarsening",
        f"{_GALLERY}: bilayers",
        0.1123,
    ),
    "pearls": Preset(
        (1.0, 3.55, 1.0, -56.0, -56.0, 784.0),
        -0.77,
        "chains of beads",
        f"{_GALLERY}: pearls",
        0.0818,
    ),
    "metatubes": Preset(
        (0.924, 1.352, 2.932, 8.29, 61.066, 297.722),
        -0.53,
        "hollow tubes with holes in their walls",
        f"{_GALLERY}: metatubes",
        0.1217,
    ),
    "spheres": Preset(
        (2.0, 2.0, 2.0, -75.0, -75.0, 937.5),
        -0.6,
        "separate balls of nearly one size",
        f"{_PAPER}: h2=1, H0=25, s=t=1, p=q=12.5",
        0.1112,
    ),
    "layers": Preset((2.0, 2.0, 2.0, 0.0, 0.0, 0.0), -0.3, "flat layers", f"{_PAPER}: h2=1, s=t=1", 0.1158),
    "slender-tubes": Preset(
        (2.0, 2.0, 11.0, -100.0, -50.0, 1250.0),
        -0.7,
        "tubes of radius 0.04",
        f"{_PAPER}: h2=1, H0=25, s=1, p=25, t=10",
        0.0845,
    ),
    "exp-0366": Preset(
        (1.0, -0.238, 11.988, -175.909, -27.167, 2117.037),
        -0.648,
        "many small separate lumps",
        f"{_GALLERY}: exp 0366",
        0.0554,
    ),
    "exp-0868": Preset(
        (1.0, 0.903, 14.586, -57.566, -14.842, -1387.043),
        -0.56,
        "dense tubes, unbounded below without the blur",
        f"{_GALLERY}: exp 0868",
        0.082,
    ),
    "trabec-3": Preset(
        (2.0, 1.823, 12.0, -166.0, -14.0, 3548.0),
        -0.512,
        "fine network of rods, one connected solid",
        f"{_GALLERY}: trabec",
        0.0547,
    ),
    "tightlayers-2": Preset(
        (3.0, 3.741, 11.0, -268.0, -4.0, 6156.0),
        -0.633,
        "thin layers that close slowly, few holes left",
        f"{_GALLERY}: tightlayers",
        0.0483,
    ),
}
