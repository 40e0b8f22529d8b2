"""DREAM.3D files (.dream3d) of version 7.0, for DREAM.3D 6.5: `--format dream3d-v7`.

Arrays as in version 8, in data containers; each has five attributes, and its tuple dimensions are told x first
(SIMPL's sources, DataArrays; simplnx's reader of these files turns them round).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.io import dream3d
from microgen.io.dream3d_tables import (
    Content,
    Tables,
    content_of,
    created,
    put_cells,
    put_string,
    put_strings,
    put_text,
)
from microgen.microstructure import Microstructure
from microgen.provenance import tool_version

if TYPE_CHECKING:
    import h5py

NAME = "dream3d-v7"
SUFFIXES = (".dream3d",)
NEEDS = ("volume", "grains")

_TYPES = {"int32": "int32_t", "uint32": "uint32_t", "uint8": "uint8_t", "float32": "float"}
_CELL, _CELL_FEATURE, _CELL_ENSEMBLE = 3, 7, 11
"""Types of attribute matrices."""


holds = dream3d.holds


def write(ms: Microstructure, path: str | Path) -> None:
    """Write a file for DREAM.3D 6.5. Raises InvalidParameter for planes, and without grains or orientations."""
    content = content_of(ms)
    with created(Path(path), content) as file:
        put_text(file, "FileVersion", "7.0")
        put_text(file, "DREAM3D Version", f"microgen {tool_version()}")
        file.create_group("DataContainerBundles")
        pipeline = file.create_group("Pipeline")
        put_text(pipeline, "Current Pipeline", "Pipeline")
        pipeline.attrs["Pipeline Version"] = np.int32(2)
        empty = {"PipelineBuilder": {"Name": "microgen", "Number_Filters": 0, "Version": 6}}
        put_string(pipeline, "Pipeline", json.dumps(empty))
        _container(file.create_group("DataContainers/ImageDataContainer"), content)
        dream3d.put_ours(file, ms)


def _container(container: h5py.Group, content: Content) -> None:
    _geometry(container.create_group("_SIMPL_GEOMETRY"), content)
    cells = _matrix(container, "CellData", _CELL, content.shape)
    for name in content.cells:
        _array(put_cells(cells, content, name), content.shape)
    _tables(container, "CellFeatureData", _CELL_FEATURE, content.features)
    ensembles = _tables(container, "CellEnsembleData", _CELL_ENSEMBLE, content.ensembles)
    names = put_strings(ensembles, "PhaseName", content.phase_names)
    _mark(names, "StringDataArray", (len(content.phase_names),), 1)


def _tables(container: h5py.Group, name: str, kind: int, tables: Tables) -> h5py.Group:
    rows = (len(next(iter(tables.values()))),)
    matrix = _matrix(container, name, kind, rows)
    for key, table in tables.items():
        _array(matrix.create_dataset(key, data=table), rows)
    return matrix


def _geometry(geometry: h5py.Group, content: Content) -> None:
    grid = content.volume.grid
    put_text(geometry, "GeometryName", "ImageGeometry")
    put_text(geometry, "GeometryTypeName", "ImageGeometry")
    geometry.attrs["GeometryType"] = np.array([0], np.uint32)
    geometry.attrs["SpatialDimensionality"] = np.array([3], np.uint32)
    geometry.attrs["UnitDimensionality"] = np.array([3], np.uint32)
    geometry.create_dataset("DIMENSIONS", data=np.array(grid.shape, np.int64))
    geometry.create_dataset("ORIGIN", data=np.array(grid.origin, np.float32))
    geometry.create_dataset("SPACING", data=np.array(grid.spacing, np.float32))


def _matrix(parent: h5py.Group, name: str, kind: int, rows: tuple[int, ...]) -> h5py.Group:
    matrix = parent.create_group(name)
    matrix.attrs["AttributeMatrixType"] = np.array([kind], np.uint32)
    matrix.attrs["TupleDimensions"] = np.array(rows[::-1], np.uint64)
    return matrix


def _array(found: h5py.Dataset, rows: tuple[int, ...]) -> None:
    _mark(found, f"DataArray<{_TYPES[found.dtype.name]}>", rows, found.shape[-1])


def _mark(found: h5py.Dataset, kind: str, rows: tuple[int, ...], components: int) -> None:
    put_text(found, "ObjectType", kind)
    put_text(found, "Tuple Axis Dimensions", ",".join(f"{axis}={n}" for axis, n in zip("xyz", rows[::-1])))
    found.attrs["DataArrayVersion"] = np.array([2], np.int32)
    found.attrs["ComponentDimensions"] = np.array([components], np.uint64)
    found.attrs["TupleDimensions"] = np.array(rows[::-1], np.uint64)
