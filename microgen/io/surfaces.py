"""Surfaces in files of any kind: STL, 3MF, PLY, OBJ, GLB, read as named bodies in mm, and written from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import embedded as emb, glb, obj, ply, stl, threemf, threemf_model
from microgen.io.atomic import atomic_path, check_writable
from microgen.io.bodies import checked, scaled, sound
from microgen.io.sidecar import write_with_provenance
from microgen.meshing import Body, faults, joined, welded
from microgen.microstructure import Microstructure

SUFFIXES = (*stl.SUFFIXES, *threemf.SUFFIXES, *ply.SUFFIXES, *obj.SUFFIXES, *glb.SUFFIXES)
UNITS = {"mm": 1.0, "um": 1e-3, "m": 1e3, "inch": 25.4}
"""Name -> mm."""
STATED = (*threemf.SUFFIXES, *glb.SUFFIXES)
"""Formats that say their unit."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What a file holds."""

    bodies: tuple[Body, ...]
    """Points in mm."""
    notes: tuple[str, ...]
    """What was taken for what."""


def read_surfaces(path: str | Path, *, unit: str | None = None) -> Surfaces:
    """The bodies of a file in mm. `unit` is that of the file: mm where it states none and none is given.

    Raises UnreadableFile, UnsupportedFormat, and InvalidParameter for units that are not known.
    """
    path = Path(path)
    if unit is not None and unit not in UNITS:
        raise InvalidParameter("unit", expected=f"one of {', '.join(UNITS)}", got=unit)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnsupportedFormat(f"{path}: is no file of a surface that is read. Known: {' '.join(SUFFIXES)}")
    if not path.is_file():
        problem = "is no file" if path.exists() else "does not exist"
        raise UnreadableFile(path, problem, remedy="Check the spelling and the working folder.")
    notes = [_unit_note(suffix, unit)]
    found = _read(path, suffix, None if unit is None else UNITS[unit])
    return Surfaces(tuple(_together(sound(found, path), path, notes)), tuple(note for note in notes if note))


def _unit_note(suffix: str, unit: str | None) -> str:
    if suffix in STATED:
        doubt = "a GLB is in metres (--unit mm where its numbers are mm)" if suffix in glb.SUFFIXES else ""
        return f"numbers taken for {unit} as asked for, whatever the file states" if unit else doubt
    return f"the file states no unit: {f'{unit} as asked for' if unit else 'taken for mm'}"


def _read(path: Path, suffix: str, unit: float | None) -> list[Body]:
    """Bodies in mm."""
    if suffix in threemf.SUFFIXES:
        return threemf_model.read_bodies(path, unit=unit)
    if suffix in glb.SUFFIXES:
        return [scaled(body, 1.0 if unit is None else unit / UNITS["m"]) for body in glb.read_bodies(path)]
    if suffix in stl.SUFFIXES:
        found = [Body(path.stem, stl.read_mesh(path))]
    else:
        found = (ply if suffix in ply.SUFFIXES else obj).read_bodies(path)
    return [scaled(body, unit or 1.0) for body in found]


def _together(bodies: list[Body], path: Path, notes: list[str]) -> list[Body]:
    """Objects that are open each for itself and closed together are one: some programs make one a colour."""
    if len(bodies) == 1 or any(faults(body.mesh).watertight for body in bodies):
        return bodies
    whole = joined(bodies)
    whole = welded(whole.points, whole.triangles)
    if not faults(whole).watertight:
        return bodies
    notes.append(f"its {len(bodies)} objects are open each and closed together: taken for one")
    return [Body(path.stem, whole)]


def write_surfaces(
    bodies: Iterable[Body], ms: Microstructure, path: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write bodies in mm with the provenance of `ms`; returns the paths written.

    Raises NotPrintable when one is not closed, InvalidParameter for several in one STL, OutputNotWritable.
    """
    path = Path(path)
    suffix = next(known for known in SUFFIXES if path.name.lower().endswith(known))
    if suffix not in obj.SUFFIXES:
        return write_with_provenance(
            lambda told, part: _write(bodies, told, part, suffix), ms, path, overwrite=overwrite
        )
    materials, colours = path.with_suffix(obj.MATERIALS), []
    check_writable([path, materials], overwrite=overwrite)

    def write(_: Microstructure, part: Path) -> None:
        colours.extend(obj.write_bodies(bodies, part, materials=materials.name))

    written = write_with_provenance(write, ms, path, overwrite=overwrite)
    with atomic_path(materials, overwrite) as part:
        part.write_text(obj.material_text(colours), encoding="ascii")
    return [*written, materials]


def _write(bodies: Iterable[Body], ms: Microstructure, path: Path, suffix: str) -> None:
    if suffix in stl.SUFFIXES:
        several = list(checked(bodies))
        if len(several) > 1:
            remedy = "Objects that touch make no closed surface together: use .3mf or .glb, or one STL each."
            raise InvalidParameter("bodies", expected="one for an STL", got=len(several), remedy=remedy)
        stl.write_mesh(several[0].mesh, path)
    elif suffix in threemf.SUFFIXES:
        threemf.write_bodies(bodies, path, provenance=emb.provenance_of(ms))
    elif suffix in glb.SUFFIXES:
        glb.write_bodies(bodies, path, provenance=emb.provenance_of(ms))
    else:
        ply.write_bodies(bodies, path)
