"""DREAM.3D files (.dream3d): written for DREAM3D-NX (file version 8.0), read in versions 7.0 (DREAM.3D 6.5) and 8.0.

HDF5: an image geometry with matrices of arrays a cell (z, y, x, components), a feature and an ensemble, and a pipeline
without filters. Every object of version 8 says its type, its number and that it may be imported; that is what simplnx
asks for (its sources, DataStructure/IO/HDF5). Lengths in µm, single precision; exact ones and the provenance lie in the
group `microgen`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.io import embedded as emb, one_array
from microgen.io.dream3d_read import read as read
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

if TYPE_CHECKING:
    import h5py

NAME = "dream3d"
SUFFIXES = (".dream3d",)
NEEDS = ("volume", "grains")

_TYPES = {"int32": "int32", "uint32": "uint32", "uint8": "uint8", "float32": "float32"}


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset({"grain_id", "phase_id", "grain_orientations", "volumes", "phases", *one_array.GRID})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write a file for DREAM3D-NX. Raises InvalidParameter for planes, and without grains or orientations."""
    content = content_of(ms)
    with created(Path(path), content) as file:
        put_text(file, "FileVersion", "8.0")
        pipeline = file.create_group("Pipeline")
        put_text(pipeline, "Current Pipeline", "microgen")
        pipeline.attrs["Pipeline Version"] = np.int32(3)
        empty = {"isDisabled": False, "name": "microgen", "pipeline": [], "version": 1}
        put_string(pipeline, "Pipeline", json.dumps(empty))
        _structure(file.create_group("DataStructure"), content)
        put_ours(file, ms)


def put_ours(file: h5py.File, ms: Microstructure) -> None:
    """Provenance, grid and phases, in a group of our own."""
    ours = file.create_group("microgen")
    put_string(ours, "provenance", emb.provenance_json(emb.provenance_of(ms)))
    put_string(ours, "sample", emb.sample_json(ms))


def _structure(root: h5py.Group, content: Content) -> None:
    numbers, grid = itertools.count(1), content.volume.grid
    image = root.create_group("DataContainer")
    _mark(image, "ImageGeom", next(numbers))
    image.attrs["_DIMENSIONS"] = np.array(grid.shape, np.uint64)
    image.attrs["_ORIGIN"] = np.array(grid.origin, np.float32)
    image.attrs["_SPACING"] = np.array(grid.spacing, np.float32)
    cells = _matrix(image, "CellData", content.shape, next(numbers))
    image.attrs["Cell Data ID"] = cells.attrs["ObjectId"]
    for name in content.cells:
        _array(put_cells(cells, content, name), content.shape, next(numbers))
    _tables(image, "CellFeatureData", content.features, numbers)
    ensembles = _tables(image, "CellEnsembleData", content.ensembles, numbers)
    _phase_names(ensembles, content.phase_names, numbers)
    root.attrs["NextObjectId"] = np.uint64(next(numbers))


def _tables(image: h5py.Group, name: str, tables: Tables, numbers: Iterator[int]) -> h5py.Group:
    rows = (len(next(iter(tables.values()))),)
    matrix = _matrix(image, name, rows, next(numbers))
    for key, table in tables.items():
        _array(matrix.create_dataset(key, data=table), rows, next(numbers))
    return matrix


def _phase_names(matrix: h5py.Group, names: list[str], numbers: Iterator[int]) -> None:
    strings = put_strings(matrix, "PhaseName", names)
    strings.attrs["TupleDimensions"] = np.array([len(names)], np.uint64)
    _mark(strings, "StringArray", next(numbers))


def _mark(found: h5py.Group | h5py.Dataset, kind: str, number: int) -> None:
    put_text(found, "ObjectType", kind)
    found.attrs["ObjectId"] = np.uint64(number)
    found.attrs["Importable"] = np.int32(1)


def _matrix(parent: h5py.Group, name: str, rows: tuple[int, ...], number: int) -> h5py.Group:
    matrix = parent.create_group(name)
    _mark(matrix, "AttributeMatrix", number)
    matrix.attrs["TupleDims"] = np.array(rows, np.uint64)
    return matrix


def _array(found: h5py.Dataset, rows: tuple[int, ...], number: int) -> None:
    _mark(found, f"DataArray<{_TYPES[found.dtype.name]}>", number)
    found.attrs["TupleDimensions"] = np.array(rows, np.uint64)
    found.attrs["ComponentDimensions"] = np.array(found.shape[-1:], np.uint64)
