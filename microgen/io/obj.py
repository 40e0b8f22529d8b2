"""Wavefront OBJ in mm: an object and group a grain or phase, colours as a material and at its corners. Reads any OBJ.

Materials are another file, NAME.mtl, which is written beside by `surfaces.write_surfaces`; none is ever read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.bodies import GREY, bodies_of, bytes_of, checked
from microgen.meshing import Body, fans, welded
from microgen.microstructure import Microstructure

NAME = "obj"
SUFFIXES = (".obj",)
MATERIALS = ".mtl"


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: surfaces, of which no voxels come back."""
    return frozenset()


def write(ms: Microstructure, path: str | Path) -> None:
    """Write all grains, phases, or the solid of a level set; see `bodies.bodies_of` for the errors."""
    write_bodies(bodies_of(ms), path)


def write_bodies(bodies: Iterable[Body], path: str | Path, *, materials: str = "") -> list[tuple[int, int, int]]:
    """Write closed surfaces, points in mm; names the file of `materials` in it. Raises NotPrintable.

    Returns the colour of each object, for `material_text`.
    """
    start, colours = 1, []
    with open(path, "wb") as file:
        file.write(b"# microgen, mm\n" + (f"mtllib {materials}\n".encode() if materials else b""))
        for body in checked(bodies):
            name, colour = _word(body.name), body.colour or GREY
            colours.append(colour)
            file.write(f"o {name}\ng {name}\nusemtl colour_{len(colours)}\n".encode())
            # Nine digits: the float32 numbers that were checked, and no others.
            shade = " ".join(f"{c / 255:.4f}" for c in colour).encode()
            file.writelines(_rows(b"v %.9g %.9g %.9g " + shade + b"\n", body.mesh.points.astype(np.float32)))
            file.writelines(_rows(b"f %d %d %d\n", body.mesh.triangles.astype(np.int64) + start))
            start += len(body.mesh.points)
    return colours


def material_text(colours: list[tuple[int, int, int]]) -> str:
    """The text of an MTL with one material a colour."""
    rows = (
        f"newmtl colour_{k}\nKd {r / 255:.4f} {g / 255:.4f} {b / 255:.4f}\n" for k, (r, g, b) in enumerate(colours, 1)
    )
    return "# microgen\n" + "".join(rows)


def _word(name: str) -> str:
    """A name without what ends one in an OBJ."""
    return "_".join(name.split()) or "body"


def _rows(template: bytes, array: np.ndarray) -> Iterator[bytes]:
    for k in range(0, len(array), 10_000):
        block = array[k : k + 10_000]
        yield template * len(block) % tuple(block.ravel().tolist())


def read_bodies(path: str | Path) -> list[Body]:
    """The faces, cut into triangles, in the unit of the file; a body for each object, or where there are none group.

    Raises UnreadableFile for damaged files and those without faces.
    """
    path = Path(path)
    try:
        return _Reader(path).bodies(bytes_of(path).replace(b"\\\r\n", b" ").replace(b"\\\n", b" "))
    except (ValueError, IndexError, OverflowError) as error:
        raise UnreadableFile(path, f"is no whole OBJ ({error})", remedy="Export it again.") from error


class _Reader:
    """Corners of all objects so far, and the faces of the one that is being read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.points = array("d")
        self.faces: dict[str, tuple[array[int], array[int]]] = {}

    def bodies(self, data: bytes) -> list[Body]:
        lines = data.split(b"\n")
        mark = b"o" if any(line[:2] == b"o " for line in lines) else b"g"
        corners, counts = self._object(self.path.stem)
        for number, line in enumerate(lines, 1):
            words = line.split()
            kind = words[0] if words else b""
            if kind == b"v":
                self.points.extend((float(words[1]), float(words[2]), float(words[3])))
            elif kind == b"f":
                corners.extend(self._corner(word, number) for word in words[1:])
                counts.append(len(words) - 1)
            elif kind == mark:
                corners, counts = self._object(b" ".join(words[1:]).decode("latin-1") or "unnamed")
        points = np.frombuffer(self.points).reshape(-1, 3) if self.points else np.zeros((0, 3))
        found = []
        for name, (these, numbers) in self.faces.items():
            triangles = fans(np.array(these, np.int64), np.array(numbers, np.int64))
            if len(triangles):
                found.append(Body(name, welded(points, triangles)))
        return found

    def _object(self, name: str) -> tuple[array[int], array[int]]:
        return self.faces.setdefault(name, (array("q"), array("q")))

    def _corner(self, word: bytes, line: int) -> int:
        number, there = int(word.partition(b"/")[0]), len(self.points) // 3
        row = number - 1 if number > 0 else there + number
        if number == 0 or not 0 <= row < there:
            raise UnreadableFile(self.path, f"has a face with corner {number} of {there}", line=line)
        return row
