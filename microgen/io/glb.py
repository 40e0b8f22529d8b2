"""GLB, the binary form of glTF 2.0: metres and y up, as that asks for; a node and a material a grain or phase.

Corners are in metres in the axes of the sample; one node above all turns z to y, so that viewers show it upright.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from microgen.errors import NotPrintable, UnreadableFile
from microgen.io.bodies import GREY, bodies_of, bytes_of, checked, scaled
from microgen.io.embedded import parse_provenance, provenance_json, provenance_of
from microgen.io.glb_scene import Scene
from microgen.meshing import Body, is_watertight
from microgen.microstructure import Microstructure
from microgen.provenance import Provenance, tool_version

NAME = "glb"
SUFFIXES = (".glb",)
MAGIC = b"glTF"
METRE = 1e-3
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_UPRIGHT = [1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
"""Columns of the matrix that makes (x, z, -y) of (x, y, z)."""


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: surfaces, of which no voxels come back."""
    return frozenset()


def write(ms: Microstructure, path: str | Path) -> None:
    """Write all grains, phases, or the solid of a level set; see `bodies.bodies_of` for the errors."""
    write_bodies(bodies_of(ms), path, provenance=provenance_of(ms))


def write_bodies(bodies: Iterable[Body], path: str | Path, *, provenance: Provenance | None = None) -> None:
    """Write closed surfaces, points in mm. Raises NotPrintable, also where they are not closed in metres."""
    asset: dict[str, Any] = {"version": "2.0", "generator": f"microgen {tool_version()}"}
    if provenance is not None:
        asset["extras"] = {"microgen:provenance": json.loads(provenance_json(provenance))}
    scene: dict[str, Any] = {"asset": asset, "scene": 0, "scenes": [{"nodes": [0]}]}
    scene |= {name: [] for name in ("meshes", "materials", "accessors", "bufferViews")}
    nodes: list[dict[str, Any]] = [{"name": "z is up", "matrix": _UPRIGHT, "children": []}]
    data = []
    for k, body in enumerate(checked(bodies)):
        nodes[0]["children"].append(k + 1)
        nodes.append({"name": body.name, "mesh": k})
        data += _added(scene, k, body)
    binary = b"".join(data)
    text = json.dumps(scene | {"nodes": nodes, "buffers": [{"byteLength": len(binary)}]}, separators=(",", ":"))
    packed = text.encode().ljust(-(-len(text) // 4) * 4)
    chunks = struct.pack("<II", len(packed), _JSON) + packed + struct.pack("<II", len(binary), _BIN)
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<II", 2, 12 + len(chunks) + len(binary)) + chunks)
        file.write(binary)


def _added(scene: dict[str, Any], k: int, body: Body) -> list[bytes]:
    """Corners and triangles of one body, told of in the scene."""
    points = scaled(body, METRE).mesh.points.astype("<f4")
    triangles = body.mesh.triangles.astype("<u4")
    if not is_watertight(scaled(body, METRE).mesh):
        raise NotPrintable(f"{body.name}: its surface is not closed in the metres of a GLB.")
    start = sum(view["byteLength"] for view in scene["bufferViews"])
    bounds = {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
    for bytes_, target in ((points.nbytes, 34962), (triangles.nbytes, 34963)):
        scene["bufferViews"].append({"buffer": 0, "byteOffset": start, "byteLength": bytes_, "target": target})
        start += bytes_
    kinds = ({"componentType": 5126, "type": "VEC3", "count": len(points), **bounds},
             {"componentType": 5125, "type": "SCALAR", "count": triangles.size})  # fmt: skip
    for view, kind in enumerate(kinds):
        scene["accessors"].append({"bufferView": 2 * k + view, **kind})
    part = {"attributes": {"POSITION": 2 * k}, "indices": 2 * k + 1, "material": k, "mode": 4}
    scene["meshes"].append({"name": body.name, "primitives": [part]})
    colour = [round(_linear(c / 255), 5) for c in body.colour or GREY]
    shade = {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.1, "roughnessFactor": 0.8}
    scene["materials"].append({"name": body.name, "pbrMetallicRoughness": shade})
    return [points.tobytes(), triangles.tobytes()]


def _linear(value: float) -> float:
    """Of an sRGB value: colours of materials are linear."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def read_bodies(path: str | Path) -> list[Body]:
    """The triangles of the scene in mm and z up, a body for each node with a mesh.

    Raises UnreadableFile for damaged files, UnsupportedFormat for compressed data and data in other files.
    """
    path = Path(path)
    scene, binary = _chunks(path)
    try:
        return Scene(scene, binary, path).bodies()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        problem = f"is no whole GLB ({type(error).__name__}: {error})"
        raise UnreadableFile(path, problem, remedy="Export it again.") from error


def read_embedded(path: str | Path) -> Provenance | None:
    """The provenance in a file; None in one that is not ours. Raises UnreadableFile."""
    asset = _chunks(Path(path))[0].get("asset")
    extras = asset.get("extras") if isinstance(asset, dict) else None
    found = extras.get("microgen:provenance") if isinstance(extras, dict) else None
    return None if found is None else parse_provenance(json.dumps(found), Path(path))


def _chunks(path: Path) -> tuple[dict[str, Any], bytes]:
    data = bytes_of(path)
    try:
        if data[:4] != MAGIC:
            raise UnreadableFile(path, "is no GLB", remedy="Export it again, as binary glTF.")
        version, length, size, kind = struct.unpack_from("<IIII", data, 4)
        if version != 2 or length != len(data) or kind != _JSON or 20 + size > len(data):
            raise ValueError(f"version {version}, {length} bytes announced, {len(data)} there")
        scene, at, binary = json.loads(data[20 : 20 + size].decode("utf-8")), 20 + size, b""
        if at < len(data):
            size, kind = struct.unpack_from("<II", data, at)
            binary = data[at + 8 : at + 8 + size] if kind == _BIN else b""
            if kind == _BIN and len(binary) < size:
                raise ValueError("its data end too soon")
    except (ValueError, struct.error, RecursionError) as error:
        raise UnreadableFile(path, f"is no whole GLB ({error})", remedy="Export it again.") from error
    if not isinstance(scene, dict):
        raise UnreadableFile(path, "holds no scene", remedy="Export it again.")
    return scene, binary
