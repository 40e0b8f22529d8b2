"""Presets of `Curvatubes`: coefficients that give a material, and where they come from.

Published sets are those of Song 2022 (JMIV 64, "Generation of tubular and membranous shape textures with curvature
functionals") and of the gallery that belongs to it, at eps = 0.02 and dx = 0.01. Coefficients are in 1/length of that
unit: `Curvatubes.scaled` sets another size of feature. Materials point to the published set that resembles them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Coefficients (a20, a11, a02, b10, b01, c), mass, and a line on what they give and on their source."""

    coefficients: tuple[float, float, float, float, float, float]
    mass: float
    looks: str
    source: str


_PAPER = "Song 2022, JMIV 64"
_GALLERY = "gallery of Song 2022, JMIV 64"

PRESETS: dict[str, Preset] = {
    "trabecular-bone": Preset(
        (1.069, 0.958, 6.074, -83.758, -7.676, 1767.964),
        -0.445,
        "rods and plates of cancellous bone, one connected solid",
        f"{_GALLERY}: trabec",
    ),
    "aluminium-foam": Preset(
        (2.0, 1.823, 12.0, -166.0, -14.0, 3548.0),
        -0.512,
        "open-cell metal foam: slender ligaments that meet in nodes",
        f"{_GALLERY}: trabec",
    ),
    "polymer-foam": Preset(
        (3.0, 3.741, 11.0, -268.0, -4.0, 6156.0),
        -0.633,
        "closed-cell foam: thin walls around large voids",
        f"{_GALLERY}: tightlayers",
    ),
    "lamina-cribrosa": Preset(
        (0.946, 3.959, 1.942, 18.329, 28.008, 113.771),
        -0.534,
        "perforated sheets, as in the lamina cribrosa of the eye",
        f"{_GALLERY}: sieve",
    ),
    "endoplasmic-reticulum": Preset(
        (1.0, 2.221, 2.667, -103.614, 154.632, -1633.36),
        -0.745,
        "a tortuous network of thin tubules",
        f"{_GALLERY}: tortuous",
    ),
    "sponge": Preset(
        (1.0, 2.8, 2.0, -10.0, -10.0, 25.0),
        -0.25,
        "bicontinuous sponge of saddles",
        f"{_PAPER}: h2=1, H0=5, kg=0.8, t=1",
    ),
    "tubes": Preset(
        (1.0, 2.0, 6.0, -40.0, -40.0, 400.0),
        -0.6,
        "winding tubes of one radius",
        f"{_GALLERY}: tubes",
    ),
    "bilayers": Preset(
        (1.0, 1.0, 1.0, 0.0, 0.0, 0.0),
        -0.4,
        "lamellae that keep coarsening",
        f"{_GALLERY}: bilayers",
    ),
    "pearls": Preset(
        (1.0, 3.55, 1.0, -56.0, -56.0, 784.0),
        -0.77,
        "chains of beads",
        f"{_GALLERY}: pearls",
    ),
    "metatubes": Preset(
        (0.924, 1.352, 2.932, 8.29, 61.066, 297.722),
        -0.53,
        "thick tubes with walls that fold",
        f"{_GALLERY}: metatubes",
    ),
    "spheres": Preset(
        (2.0, 2.0, 2.0, -75.0, -75.0, 937.5),
        -0.6,
        "balls of radius 0.08",
        f"{_PAPER}: h2=1, H0=25, s=t=1, p=q=12.5",
    ),
    "layers": Preset((2.0, 2.0, 2.0, 0.0, 0.0, 0.0), -0.3, "flat layers", f"{_PAPER}: h2=1, s=t=1"),
    "slender-tubes": Preset(
        (2.0, 2.0, 11.0, -100.0, -50.0, 1250.0),
        -0.7,
        "tubes of radius 0.04",
        f"{_PAPER}: h2=1, H0=25, s=1, p=25, t=10",
    ),
    "exp-0366": Preset(
        (1.0, -0.238, 11.988, -175.909, -27.167, 2117.037),
        -0.648,
        "many short separate rods",
        f"{_GALLERY}: exp 0366",
    ),
    "exp-0868": Preset(
        (1.0, 0.903, 14.586, -57.566, -14.842, -1387.043),
        -0.56,
        "dense tubes, unbounded below without the blur",
        f"{_GALLERY}: exp 0868",
    ),
}
