"""What files of DREAM.3D hold of a sample: arrays a cell, a feature (grain) and an ensemble (phase).

Row 0 of features and ensembles stands for none. Euler angles are Bunge's in radians. Quaternions are vector first and
of P = +1, so that their vector has the other sign than ours (Rowenhorst et al. 2015, which EbsdLib follows).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.io.grain_volume import GrainVolume, grain_volume
from microgen.microstructure import Microstructure
from microgen.orientation import ipf_color, to_euler

if TYPE_CHECKING:
    import h5py

STRUCTURES = {"6/mmm": 0, "m-3m": 1, "6/m": 2, "m-3": 3, "-1": 4, "2/m": 5, "mmm": 6, "4/m": 7, "4/mmm": 8, "-3": 9}
STRUCTURES |= {"-3m": 10}
"""Laue group -> CrystalStructures."""
UNKNOWN = 999
_OVERHEAD = 2**16
"""Bytes, at most, of all that is no table: groups, attributes, texts."""

Tables = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Content:
    """Arrays by name. Rows are features in `cells` too: a cell has the row of its feature."""

    volume: GrainVolume
    cells: Tables
    features: Tables
    ensembles: Tables
    phase_names: list[str]
    """One an ensemble, the first for none."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along z, y, x."""
        return self.volume.grid.shape[::-1]

    def slabs(self, name: str) -> Iterator[np.ndarray]:
        """An array of the cells layer by layer, [y, x, components]."""
        labels, table = self.volume.labels, self.cells[name]
        yield from (table[labels[:, :, k].T] for k in range(labels.shape[2]))


def content_of(ms: Microstructure) -> Content:
    """All arrays of a sample. Raises InvalidParameter for planes, and without grains or orientations."""
    volume = grain_volume(ms, "DREAM.3D")
    n, size = len(volume.phase_id), volume.voxels * volume.grid.cell_measure
    size[0] = 0.0
    phase = np.append(0, volume.phase_id + 1).astype(np.int32)[:, None]
    euler = np.vstack([np.zeros(3), to_euler(volume.orientation)]).astype(np.float32)
    turned = volume.orientation[:, [1, 2, 3, 0]] * [-1, -1, -1, 1]
    quats = np.vstack([[0.0, 0, 0, 1], turned]).astype(np.float32)
    cells = {"FeatureIds": np.arange(n + 1, dtype=np.int32)[:, None], "Phases": phase, "EulerAngles": euler}
    cells |= {"Quats": quats, "IPFColors": _colours(volume)}
    features = {"Phases": phase, "AvgEulerAngles": euler, "AvgQuats": quats}
    features |= {"EquivalentDiameters": np.cbrt(6 * size / np.pi).astype(np.float32)[:, None]}
    features |= {"Volumes": size.astype(np.float32)[:, None]}
    features |= {"NumElements": np.append(0, volume.voxels[1:]).astype(np.int32)[:, None]}
    codes = [UNKNOWN, *(STRUCTURES[phase.laue_group] for phase in volume.phases)]
    ensembles = {"CrystalStructures": np.array(codes, np.uint32)[:, None]}
    ensembles |= {"PhaseTypes": np.array([UNKNOWN] + [0] * len(volume.phases), np.uint32)[:, None]}
    names = ["Invalid Phase", *(phase.name for phase in volume.phases)]
    return Content(volume, cells, features, ensembles, names)


def _colours(volume: GrainVolume) -> np.ndarray:
    """uint8 [n + 1, 3]: colour of the crystal direction along z."""
    colour = np.zeros((len(volume.phase_id) + 1, 3), np.uint8)
    for k, phase in enumerate(volume.phases):
        rows = np.flatnonzero(volume.phase_id == k)
        colour[rows + 1] = ipf_color(volume.orientation[rows], phase.laue_group)
    return colour


@contextmanager
def created(path: Path, content: Content) -> Iterator[h5py.File]:
    """A new file. Raises OSError, before it begins where the disk lacks the room.

    HDF5 that finds the disk full in the middle leaves objects that it can neither write nor close, and crashes.
    """
    import h5py

    table = sum(array.nbytes for tables in (content.cells, content.features) for array in tables.values())
    cells = content.volume.grid.size * sum(array[:1].nbytes for array in content.cells.values())
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, cells + 2 * table + _OVERHEAD)
    try:
        with h5py.File(path, "w") as found:
            yield found
    except RuntimeError as error:  # of an object that cannot be closed
        raise OSError(str(error).split(":")[0]) from error


def put_text(target: h5py.Group | h5py.Dataset, name: str, text: str) -> None:
    """An attribute of fixed length that ends with a zero, as HDF5's C programs write and want it."""
    import h5py

    data = text.encode("utf-8", "replace") + b"\0"
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(data))
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    attribute = h5py.h5a.create(target.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    attribute.write(np.array(data, f"S{len(data)}"), mtype=kind)


def put_string(group: h5py.Group, name: str, text: str) -> h5py.Dataset:
    """A data set that is one text of fixed length."""
    return group.create_dataset(name, data=np.bytes_(text.encode("utf-8", "replace") + b"\0"))


def put_strings(group: h5py.Group, name: str, texts: list[str]) -> h5py.Dataset:
    """A data set of texts, each of its own length."""
    import h5py

    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    return group.create_dataset(name, data=clean, dtype=h5py.string_dtype())


def put_cells(group: h5py.Group, content: Content, name: str) -> h5py.Dataset:
    """A data set (z, y, x, components), written layer by layer."""
    table = content.cells[name]
    found = group.create_dataset(name, (*content.shape, table.shape[1]), dtype=table.dtype)
    for k, slab in enumerate(content.slabs(name)):
        found[k] = slab
    return found
