"""The objects of a 3MF made by anyone, in mm: meshes, components and build items with their places (Core 1.3).

Models in other parts of the same package (production extension) are read too, other files never.
"""

from __future__ import annotations

import zipfile
import zlib
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.meshing import Body, welded

MAIN = "3D/3dmodel.model"
MILLIMETRES = {"micron": 1e-3, "millimeter": 1.0, "centimeter": 10.0, "inch": 25.4, "foot": 304.8, "meter": 1e3}
DENSEST = 200
"""Bytes of XML that one byte of the package can stand for: coordinates pack 5 to 20 to 1, bombs 1000 to 1."""
DEEPEST, MOST = 32, 50_000_000
"""Levels of components in components; triangles in all."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, NotImplementedError, RuntimeError)
_DAMAGE += (ValueError, KeyError, IndexError, OverflowError)  # numbers that are none, attributes that are missing


@dataclass
class _Object:
    """A mesh, or other objects put in places."""

    name: str
    points: array[float] = field(default_factory=lambda: array("d"))
    triangles: array[int] = field(default_factory=lambda: array("q"))
    parts: list[dict[str, str]] = field(default_factory=list)
    printed: bool = True
    """Supports and the like are not."""


@dataclass
class _Model:
    """One XML file of the package."""

    unit: float = 1.0
    objects: dict[str, _Object] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)


def read_bodies(path: str | Path, *, unit: float | None = None) -> list[Body]:
    """A body for each item to be built, in mm; `unit`, in mm, wins over the one the file states.

    Raises UnreadableFile, and UnsupportedFormat for other zip files.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as package:
            return _Package(package, path).bodies(unit)
    except _DAMAGE as error:
        raise UnreadableFile(path, f"is no whole 3MF ({error})", remedy="Write or copy it again.") from error
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy="Check the path.") from error


class _Package:
    def __init__(self, package: zipfile.ZipFile, path: Path) -> None:
        self.package, self.path = package, path
        self.models: dict[str, _Model] = {}
        self.triangles = 0

    def bodies(self, unit: float | None) -> list[Body]:
        if MAIN not in self.package.namelist():
            raise UnsupportedFormat(f"{self.path}: is a zip file, but no 3MF.")
        main, found = self._model(MAIN), []
        for item in main.items:
            name, shown, points, triangles = self._object(item, MAIN, 0)
            if shown and len(triangles):
                found.append(Body(name, welded(points * (unit or main.unit), triangles)))
        return found

    def _object(self, item: dict[str, str], model: str, depth: int) -> tuple[str, bool, np.ndarray, np.ndarray]:
        """Name, whether it is printed, corners and triangles of an item or component, in its place."""
        model = item.get("path", model).lstrip("/")
        there = self._model(model).objects[item["objectid"]]
        if depth > DEEPEST:
            raise UnreadableFile(self.path, "has components within themselves", remedy="Write it again.")
        points = np.array(there.points, float).reshape(-1, 3)
        triangles = np.array(there.triangles, np.int64).reshape(-1, 3)
        if len(triangles) and not (triangles.min() >= 0 and triangles.max() < len(points)):
            raise UnreadableFile(self.path, f"{there.name} has triangles with corners that are not there")
        for part in there.parts:
            _, _, more, rows = self._object(part, model, depth + 1)
            points, triangles = np.concatenate([points, more]), np.concatenate([triangles, rows + len(points)])
        self.triangles += len(triangles)
        if self.triangles > MOST:
            raise UnsupportedFormat(f"{self.path}: more than {MOST} triangles. Simplify it first.")
        place = np.array(item.get("transform", "1 0 0 0 1 0 0 0 1 0 0 0").split(), float).reshape(4, 3)
        if np.linalg.det(place[:3]) < 0:
            triangles = triangles[:, ::-1]
        return there.name, there.printed, points @ place[:3] + place[3], triangles

    def _model(self, name: str) -> _Model:
        if name not in self.models:
            self.models[name] = self._parsed(name)
        return self.models[name]

    def _parsed(self, name: str) -> _Model:
        entry = self.package.getinfo(name)
        if entry.file_size > DENSEST * max(entry.compress_size, 1000):
            problem = f"claims {entry.file_size} bytes in {entry.compress_size}"
            raise UnreadableFile(self.path, problem, remedy="Write it again.")
        reader = _Reader(self.path)
        with self.package.open(entry) as file:
            while block := file.read(1 << 20):
                reader.parser.Parse(block)
        reader.parser.Parse(b"", True)
        return reader.model


class _Reader:
    """Takes the elements of a model as they come; no document type, so no entities that swell."""

    def __init__(self, path: Path) -> None:
        self.path, self.model = path, _Model()
        self.object = _Object("")
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: object) -> None:
        raise UnreadableFile(self.path, "holds a document type, which no 3MF has", remedy="Write it again.")

    def _start(self, tag: str, has: dict[str, str]) -> None:
        kind = tag.rpartition(":")[2]
        if kind == "vertex":
            self.object.points.extend((float(has["x"]), float(has["y"]), float(has["z"])))
        elif kind == "triangle":
            self.object.triangles.extend((int(has["v1"]), int(has["v2"]), int(has["v3"])))
        elif kind == "object":
            self.object = _Object(has.get("name") or f"object {has['id']}", printed=has.get("type", "model") == "model")
            self.model.objects[has["id"]] = self.object
        elif kind in ("component", "item"):
            plain = {key.rpartition(":")[2]: value for key, value in has.items()}
            (self.object.parts if kind == "component" else self.model.items).append(plain)
        elif kind == "model":
            if has.get("unit", "millimeter") not in MILLIMETRES:
                raise UnreadableFile(self.path, f"has the unknown unit {has['unit']!r}", remedy="Write it again.")
            self.model.unit = MILLIMETRES[has.get("unit", "millimeter")]
