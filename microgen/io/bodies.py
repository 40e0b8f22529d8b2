"""The surfaces of a sample, named and coloured: its grains, its phases, or the solid of its level set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from microgen.errors import NotPrintable, UnreadableFile
from microgen.meshing import Body, TriangleMesh, faults, grain_surfaces, is_watertight, printable_solid, told, welded
from microgen.microstructure import Microstructure
from microgen.orientation import ipf_color

LARGEST = 2**32
"""Bytes; no mesh that fits into the memory is larger."""
FARTHEST = 1e12
"""Of the unit of a file: coordinates beyond are damage."""
GREY = (190, 190, 190)


def bodies_of(ms: Microstructure) -> Iterator[Body]:
    """One body a grain; without grains the solid of the level set; without that one a phase.

    Raises InvalidParameter for planes, NotPrintable when nothing is solid or a surface is not closed.
    """
    names = [phase.name for phase in ms.phases] or ["solid"]
    if ms.grain_id is not None:
        colours = grain_colours(ms)
        yield from (Body(f"grain {k}", mesh, colours.get(k)) for k, mesh in grain_surfaces(ms))
    elif ms.level_set is not None or len(names) == 1:
        yield Body(names[0], printable_solid(ms).mesh, GREY)
    else:
        for k, name in enumerate(names):
            if (ms.phase_id == k).any():
                yield Body(name, printable_solid(only_phase(ms, k), min_part=0.0).mesh, distinct(k))


def only_phase(ms: Microstructure, phase: int) -> Microstructure:
    """The solid of one phase (-1: of the void), everything else void; no grains."""
    level = ms.level_set if phase in (0, -1) else None
    inside = ms.phase_id == phase
    return replace(
        ms,
        phase_id=np.where(inside, 0, -1).astype(np.int16),
        phases=ms.phases[phase : phase + 1] if phase >= 0 else (),
        grain_id=None,
        grains=None,
        orientation=None,
        level_set=None if level is None else level if phase == 0 else -level,
    )


def grain_colours(ms: Microstructure) -> dict[int, tuple[int, int, int]]:
    """grain_id -> its colour in the inverse pole figure of z; without orientations one that differs from the next."""
    last = 0 if ms.grain_id is None else int(ms.grain_id.max(initial=0))
    if ms.grains is None or not ms.phases:
        return {k: distinct(k) for k in range(1, last + 1)}
    found = np.zeros((len(ms.grains), 3), np.uint8)
    for k, phase in enumerate(ms.phases):
        chosen = ms.grains.phase_id == k
        found[chosen] = ipf_color(ms.grains.orientation[chosen], phase.laue_group)
    return {k + 1: (int(r), int(g), int(b)) for k, (r, g, b) in enumerate(found)}


def distinct(number: int) -> tuple[int, int, int]:
    """A colour unlike those of the numbers before: hues a golden section apart."""
    from colorsys import hsv_to_rgb

    r, g, b = hsv_to_rgb((0.58 + number * 0.6180339887) % 1, 0.45 + 0.15 * (number % 2), 0.9)
    return round(255 * r), round(255 * g), round(255 * b)


def checked(bodies: Iterable[Body]) -> Iterator[Body]:
    """The same bodies, refused (NotPrintable, saying where) when one is not closed as float32 has it."""
    for body in bodies:
        if not is_watertight(body.mesh):
            where = told(faults(welded(body.mesh.points, body.mesh.triangles)))
            raise NotPrintable(f"{body.name}: its surface is not closed ({'; '.join(where) or 'corners touch'}).")
        yield body


def bytes_of(path: Path) -> bytes:
    """All bytes of a file. Raises UnreadableFile."""
    try:
        if path.stat().st_size > LARGEST:
            raise UnreadableFile(path, "is larger than 4 GiB", remedy="Simplify it first.")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy="Check the path.") from error


def sound(bodies: Iterable[Body], path: Path) -> list[Body]:
    """The bodies that have triangles, with finite corners. Raises UnreadableFile."""
    found = [body for body in bodies if len(body.mesh.triangles)]
    if not found:
        raise UnreadableFile(path, "holds no triangles", remedy="Export it again, as triangles.")
    for body in found:
        if not (np.abs(body.mesh.points) < FARTHEST).all():
            raise UnreadableFile(path, f"{body.name} has corners that are nowhere", remedy="Export it again.")
    return found


def scaled(body: Body, factor: float) -> Body:
    """The same in another unit."""
    return replace(body, mesh=TriangleMesh(body.mesh.points * factor, body.mesh.triangles))
