"""PLY, binary in mm: surfaces with a colour a corner, and of faces the object they belong to. Reads any PLY of faces.

Format 1.0 (Turk, 1994): a text that names the elements and their properties, then these, as text or binary.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io.bodies import bodies_of, bytes_of, checked
from microgen.io.ply_data import OBJECT, Element, ascii_elements, binary_elements
from microgen.meshing import Body, fans, welded
from microgen.microstructure import Microstructure

NAME = "ply"
SUFFIXES = (".ply",)

_ENDIAN = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
_TYPES |= {"float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"}
_TYPES |= {"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"}
_LISTS = ("vertex_indices", "vertex_index")
_CORNER = np.dtype([("at", "<f4", 3), ("colour", "u1", 3)])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3), ("object", "<i4")])


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: surfaces, of which no voxels come back."""
    return frozenset()


def write(ms: Microstructure, path: str | Path) -> None:
    """Write all grains, phases, or the solid of a level set; see `bodies.bodies_of` for the errors."""
    write_bodies(bodies_of(ms), path)


def write_bodies(bodies: Iterable[Body], path: str | Path) -> None:
    """Write closed surfaces, points in mm; corners are not shared between objects. Raises NotPrintable."""
    corners, faces, names, start = [], [], [], 0
    for number, body in enumerate(checked(bodies), 1):
        rows = np.zeros(len(body.mesh.points), _CORNER)
        rows["at"], rows["colour"] = body.mesh.points, body.colour or (200, 200, 200)
        sides = np.zeros(len(body.mesh.triangles), _FACE)
        sides["count"], sides["corners"], sides["object"] = 3, body.mesh.triangles + start, number
        name = body.name.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")
        corners, faces, start = [*corners, rows], [*faces, sides], start + len(rows)
        names.append(f"comment object {number} {name}\n")
    head = (
        "ply\nformat binary_little_endian 1.0\ncomment microgen, mm\n" + "".join(names) + f"element vertex {start}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {sum(map(len, faces))}\nproperty list uchar int vertex_indices\nproperty int {OBJECT}\n"
        "end_header\n"
    )
    with open(path, "wb") as file:
        file.write(head.encode("ascii"))
        file.writelines(part.tobytes() for part in (*corners, *faces))


def read_bodies(path: str | Path) -> list[Body]:
    """The faces, cut into triangles, in the unit of the file; one body, or one for each `object` microgen wrote.

    Raises UnreadableFile for damaged files, UnsupportedFormat for points without faces.
    """
    path = Path(path)
    data = bytes_of(path)
    try:
        elements, names = _parsed(data, path)
        return _bodies(elements, names, path)
    except (ValueError, KeyError, IndexError, OverflowError, TypeError, MemoryError) as error:
        if isinstance(error, InvalidParameter):
            raise
        raise UnreadableFile(path, f"is no whole PLY ({error})", remedy="Export it again.") from error


def _parsed(data: bytes, path: Path) -> tuple[dict[str, Any], dict[int, str]]:
    head, mark, body = data.partition(b"end_header")
    lines = head.decode("latin-1").split("\n")
    if lines[0].strip() != "ply" or not mark:
        raise UnreadableFile(path, "is no PLY", remedy="Export it again.")
    body = body[body.index(b"\n") + 1 :]
    kind, elements, names = "", [], {}
    for line in lines[1:]:
        words = line.split()
        if words[:1] == ["format"]:
            kind = words[1]
        elif words[:2] == ["comment", "object"] and len(words) > 3:
            names[int(words[2])] = " ".join(words[3:])
        elif words[:1] == ["element"]:
            elements.append(Element(words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            count = _TYPES[words[2]] if words[1] == "list" else ""
            elements[-1].properties.append((words[-1], _TYPES[words[-2]], count))
    if kind not in _ENDIAN:
        raise UnreadableFile(path, f"has the unknown format {kind!r}", remedy="Export it again.")
    for element in elements:
        if not 0 <= element.count <= len(body):
            raise UnreadableFile(path, f"announces {element.count} of {element.name} in {len(body)} bytes")
    return (binary_elements(body, elements, _ENDIAN[kind]) if _ENDIAN[kind] else ascii_elements(body, elements)), names


def _bodies(elements: dict[str, Any], names: dict[int, str], path: Path) -> list[Body]:
    vertex, face = elements.get("vertex", {}), elements.get("face", {})
    lists = next((face[name] for name in _LISTS if name in face), None)
    if lists is None or not all(axis in vertex for axis in "xyz"):
        raise UnsupportedFormat(f"{path}: expected a PLY of corners and faces, got {' and '.join(elements) or 'none'}.")
    points = np.stack([np.asarray(vertex[axis], float) for axis in "xyz"], axis=1)
    corners, counts = lists
    if len(corners) and not (corners.min() >= 0 and corners.max() < len(points)):
        raise UnreadableFile(path, "has faces with corners that are not there", remedy="Export it again.")
    triangles = fans(corners, counts)
    if OBJECT not in face:
        return [Body(path.stem, welded(points, triangles))]
    owner = np.repeat(np.asarray(face[OBJECT], np.int64), np.maximum(counts - 2, 0))
    return [Body(names.get(k, f"object {k}"), welded(points, triangles[owner == k])) for k in np.unique(owner).tolist()]
