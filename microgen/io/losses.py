"""What of a sample a format does not keep, so that no file loses anything without a word.

A format says by `holds(ms)` which of these its files hold: what comes back from them here or, of formats that are not
read here, what the programs that read them find.
"""

from __future__ import annotations

from types import ModuleType

from microgen.microstructure import Microstructure

FACTS = {
    "grain_id": "grain labels",
    "phase_id": "the phase of each voxel",
    "level_set": "the level set",
    "grey": "grey values",
    "orientation": "the orientation of each point",
    "measured": "which points were measured",
    "grain_orientations": "orientations of the grains",
    "diagram": "sites, metrics and weights of the grains",
    "volumes": "volumes of the grains",
    "phases": "names, symmetries and lattices of the phases",
    "spacing": "the voxel size",
    "origin": "the origin",
    "periodic": "which axes repeat",
}
"""What a sample may have, and how it is called in a sentence."""


def facts(ms: Microstructure) -> list[str]:
    """What the sample has."""
    grains, grid = ms.grains, ms.grid
    there = {
        **{name: getattr(ms, name) is not None for name in ("grain_id", "level_set", "grey", "orientation")},
        "phase_id": bool(ms.phases) or int(ms.phase_id.max(initial=-1)) > 0,
        "measured": ms.measured is not None,
        "grain_orientations": grains is not None,
        "diagram": grains is not None and grains.sites is not None,
        "volumes": grains is not None,
        "phases": bool(ms.phases),
        "spacing": True,
        "origin": any(grid.origin),
        "periodic": any(grid.periodic),
    }
    return [name for name in FACTS if there[name]]


def lost(ms: Microstructure, writer: ModuleType) -> list[str]:
    """What of the sample files of a format do not hold."""
    kept = writer.holds(ms)
    return [name for name in facts(ms) if name not in kept]


def sentence(names: list[str]) -> str:
    """The same for a reader."""
    if not names:
        return "nothing is lost"
    return "without " + ", ".join(FACTS[name] for name in names)
