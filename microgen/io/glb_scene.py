"""The scene of a GLB: nodes with their places, meshes, and the numbers these are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.meshing import Body, welded

MOST = 50_000_000
"""Triangles in all nodes together."""
MILLIMETRES = 1e3
_KINDS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC3": 3}
_UNDERSTOOD = {"KHR_materials_unlit", "KHR_texture_transform", "KHR_materials_specular", "KHR_lights_punctual"}
_LINES = (0, 1, 2, 3)


class Scene:
    """Reads the triangles; whatever has no place in a file of triangles is left out."""

    def __init__(self, scene: dict[str, Any], binary: bytes, path: Path) -> None:
        self.scene, self.binary, self.path = scene, binary, path
        self.bodies_found: list[Body] = []
        self.seen: set[int] = set()
        self.triangles = 0
        needed = set(scene.get("extensionsRequired", ())) - _UNDERSTOOD
        if needed:
            remedy = "Export it without compression."
            raise UnsupportedFormat(f"{path}: needs {', '.join(sorted(map(str, needed)))}, which is not read. {remedy}")

    def bodies(self) -> list[Body]:
        """A body for each node with a mesh, mm, z up."""
        scenes = self.scene.get("scenes") or []
        roots = scenes[self.scene.get("scene", 0)]["nodes"] if scenes else range(len(self.scene.get("nodes", ())))
        waiting = [(int(k), np.eye(4)) for k in reversed(roots)]
        while waiting:
            k, above = waiting.pop()
            if k in self.seen:
                if not scenes:
                    continue
                raise UnreadableFile(self.path, f"has node {k} in two places", remedy="Export it again.")
            self.seen.add(k)
            node = self.scene["nodes"][k]
            place = above @ _place(node)
            if "mesh" in node:
                self._mesh(int(node["mesh"]), str(node.get("name") or f"node {k}"), place)
            waiting += [(int(child), place) for child in reversed(node.get("children", ()))]
        return self.bodies_found

    def _mesh(self, number: int, name: str, place: np.ndarray) -> None:
        points, triangles, start = [], [], 0
        for part in self.scene["meshes"][number]["primitives"]:
            mode = part.get("mode", 4)
            if mode in _LINES:
                continue
            if mode != 4:
                raise UnsupportedFormat(f"{self.path}: {name} has strips or fans. Export it as plain triangles.")
            corners = self._numbers(int(part["attributes"]["POSITION"]), 3).astype(float)
            rows = np.arange(len(corners)) if "indices" not in part else self._numbers(int(part["indices"]), 1).ravel()
            if len(rows) % 3 or (len(rows) and rows.max() >= len(corners)):
                raise UnreadableFile(self.path, f"{name} has triangles with corners that are not there")
            self.triangles += len(rows) // 3
            if self.triangles > MOST:
                raise UnsupportedFormat(f"{self.path}: more than {MOST} triangles. Simplify it first.")
            points, triangles = [*points, corners], [*triangles, rows.reshape(-1, 3).astype(np.int64) + start]
            start += len(corners)
        if not triangles:
            return
        x, y, z = (np.concatenate(points) @ place[:3, :3].T + place[:3, 3]).T
        rows = np.concatenate(triangles)
        if np.linalg.det(place[:3, :3]) < 0:
            rows = rows[:, ::-1]
        self.bodies_found.append(Body(name, welded(np.stack([x, -z, y], axis=1) * MILLIMETRES, rows)))

    def _numbers(self, k: int, width: int) -> np.ndarray:
        """The numbers of an accessor, [count, width]."""
        accessor = self.scene["accessors"][k]
        kind, count = np.dtype(_KINDS[accessor["componentType"]]), int(accessor["count"])
        whole = kind.kind == "u"
        if _WIDTH[accessor["type"]] != width or "sparse" in accessor or whole != (width == 1):
            raise UnsupportedFormat(f"{self.path}: has corners or triangles of another kind than is read here.")
        view = self.scene["bufferViews"][accessor["bufferView"]]
        if "uri" in self.scene["buffers"][view["buffer"]] or view["buffer"] != 0:
            raise UnsupportedFormat(f"{self.path}: its data are in another file. Export it as one .glb.")
        start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
        step, size = int(view.get("byteStride") or kind.itemsize * width), kind.itemsize * width
        if count < 0 or start < 0 or step < size or start + step * (count - 1) + size > len(self.binary):
            raise UnreadableFile(self.path, f"has {count} numbers beyond its data", remedy="Export it again.")
        bytes_ = np.frombuffer(self.binary, np.uint8)[start:]
        rows = np.lib.stride_tricks.as_strided(bytes_, (max(count, 0), size), (step, 1))
        return np.ascontiguousarray(rows).view(kind).reshape(count, width)


def _place(node: dict[str, Any]) -> np.ndarray:
    """The matrix of a node, 4 x 4."""
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = (float(q) for q in node.get("rotation", (0, 0, 0, 1)))
    turn = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    place = np.eye(4)
    place[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), float).reshape(3)
    place[:3, 3] = np.array(node.get("translation", (0, 0, 0)), float).reshape(3)
    return place
