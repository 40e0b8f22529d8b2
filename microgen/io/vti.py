"""VTK image data for ParaView: grain_id, phase_id, level_set, grey, orientation, ipf_color per cell; with provenance.

Lengths in µm; quaternions scalar first, sample to crystal, float32; colours along z. The container is in `vtk_xml`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import embedded as emb
from microgen.io.vtk_xml import KINDS, Array, ImageFile, text_array, voxel_array, write_image
from microgen.microstructure import Microstructure
from microgen.orientation import ipf_color

NAME = "paraview"
SUFFIXES = (".vti",)


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`. Orientations come back per cell, in single precision."""
    cells = {"grain_id", "phase_id", "level_set", "grey", "orientation", "grain_orientations"}
    return frozenset(cells | {"phases", "spacing", "origin", "periodic"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write what the sample has of grain_id, phase_id, level_set, grey, orientation and (of known phases) ipf_color.

    Raises InvalidParameter when the grid is not square.
    """
    grid = emb.square_grid(ms, "a .vti file")
    fields = [
        text_array("provenance", emb.provenance_json(emb.provenance_of(ms))),
        text_array("sample", emb.sample_json(ms)),
    ]
    write_image(path, grid, fields=fields, cells=_labels(ms) + _crystals(ms))


def _labels(ms: Microstructure) -> list[Array]:
    arrays = [voxel_array("phase_id", "Int16", ms.phase_id)]
    if ms.grain_id is not None:
        arrays.insert(0, voxel_array("grain_id", "Int32", ms.grain_id))
    if ms.grey is not None:
        arrays.append(voxel_array("grey", _kind(ms.grey), ms.grey))
    if ms.level_set is not None:
        arrays.append(voxel_array("level_set", "Float32", ms.level_set))
    return arrays


def _kind(values: np.ndarray) -> str:
    """VTK's name of a type of number."""
    code = "u1" if values.dtype.kind == "b" else values.dtype.str[1:]
    found = [kind for kind, known in KINDS.items() if known == code]
    if not found:
        expected = "grey values of a type VTK has"
        raise InvalidParameter("grey", expected=expected, got=values.dtype.name, remedy="Write a .npz.")
    return found[0]


def _crystals(ms: Microstructure) -> list[Array]:
    """Orientation and colour per cell: of its grain, or its own."""
    if ms.orientation is not None:
        return _own(ms)
    if ms.grain_id is None or ms.grains is None:
        return []
    table = np.vstack([[1.0, 0.0, 0.0, 0.0], ms.grains.orientation])
    quaternion = voxel_array("orientation", "Float32", ms.grain_id, table=table)
    if not ms.phases:
        return [quaternion]
    colour = _colours(ms, table, np.append(-1, ms.grains.phase_id))
    return [quaternion, voxel_array("ipf_color", "UInt8", ms.grain_id, table=colour)]


def _own(ms: Microstructure) -> list[Array]:
    assert ms.orientation is not None
    values = ms.orientation.swapaxes(0, ms.grid.ndim - 1).reshape(-1, 4)
    quaternion = Array("orientation", "Float32", 4, len(values), lambda a, b: values[a:b])
    if not ms.phases:
        return [quaternion]
    colour = _colours(ms, values, ms.phase_id.ravel(order="F"))
    return [quaternion, Array("ipf_color", "UInt8", 3, len(values), lambda a, b: colour[a:b])]


def _colours(ms: Microstructure, orientation: np.ndarray, phase_id: np.ndarray) -> np.ndarray:
    """uint8 [n, 3]: colour of the crystal direction along z; black where there is no phase."""
    colour = np.zeros((len(phase_id), 3), np.uint8)
    for k, phase in enumerate(ms.phases):
        colour[phase_id == k] = ipf_color(orientation[phase_id == k], phase.laue_group)
    return colour


def read(path: str | Path) -> Microstructure:
    """Read a .vti with cell arrays grain_id or phase_id, and orientation; data raw or inline, packed by zlib or not.

    Raises UnreadableFile for damaged files, UnsupportedFormat for other encodings and contents.
    """
    path = Path(path)
    image = ImageFile.open(path)
    found = _embedded(image)
    if found.grid is not None and found.grid.shape != image.grid.shape:
        raise UnreadableFile(path, f"describes a grid of {found.grid.shape} and holds {image.grid.shape} cells")
    grid = found.grid or image.grid
    if "grain_id" not in image.cells and "phase_id" not in image.cells:
        raise UnsupportedFormat(f"{path}: expected a cell array grain_id or phase_id, got {sorted(image.cells)}.")
    labels = emb.as_labels(image.cell_array("grain_id"), path) if "grain_id" in image.cells else None
    if labels is not None and "phase_id" not in image.cells:
        return emb.labelled(labels, grid, found)
    return Microstructure(
        grid,
        _phase_id(image, len(found.phases)),
        phases=found.phases,
        grain_id=labels,
        orientation=_orientation(image),
        level_set=_level_set(image),
        grey=np.ascontiguousarray(image.cell_array("grey")) if "grey" in image.cells else None,
        provenance=found.provenance,
    )


def read_embedded(path: str | Path) -> emb.Embedded:
    """Grid, phases and provenance without the cells. Raises UnreadableFile and UnsupportedFormat."""
    return _embedded(ImageFile.open(path))


def _embedded(image: ImageFile) -> emb.Embedded:
    sample, provenance = image.text("sample"), image.text("provenance")
    found = emb.Embedded() if sample is None else emb.parse_sample(sample, image.path)
    if provenance is None:
        return found
    return replace(found, provenance=emb.parse_provenance(provenance, image.path))


def _phase_id(image: ImageFile, phases: int) -> np.ndarray:
    values = image.cell_array("phase_id")
    highest = phases - 1 if phases else np.iinfo(np.int16).max
    if values.dtype.kind not in "iu" or values.ndim != image.grid.ndim or values.min() < -1 or values.max() > highest:
        raise UnsupportedFormat(f"{image.path}: expected phase_id from -1 to {highest}, got other values.")
    return np.ascontiguousarray(values, dtype=np.int16)


def _level_set(image: ImageFile) -> np.ndarray | None:
    if "level_set" not in image.cells:
        return None
    values = image.cell_array("level_set")
    if values.dtype.kind != "f" or values.shape != image.grid.shape:
        raise UnsupportedFormat(f"{image.path}: expected level_set as one float per cell, got {values.shape}.")
    return np.ascontiguousarray(values, dtype=np.float32)


def _orientation(image: ImageFile) -> np.ndarray | None:
    if "orientation" not in image.cells:
        return None
    values = image.cell_array("orientation")
    if values.dtype.kind != "f" or values.shape != (*image.grid.shape, 4):
        raise UnsupportedFormat(f"{image.path}: expected orientation as 4 floats per cell, got {values.shape[-1:]}.")
    return np.ascontiguousarray(values)
