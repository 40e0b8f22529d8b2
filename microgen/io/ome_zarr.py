"""Zarr version 3 as OME-NGFF 0.5 (.zarr, a folder): every array of a sample with a pyramid; 0.4 and 0.5 are read.

Axes are z y x in micrometres; the translation is the centre of the first voxel. Labels (grain_id, phase_id + 1) lie in
`labels` and their pyramids hold the most frequent label of each block; level sets and grey values are images beside
them. `orientation` and `grains/...` are plain arrays. The image of the whole is the labels where there is no other.
Layout after ngff.openmicroscopy.org/0.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.io.grey import NO_SIZE, all_positive, grey_volume
from microgen.io.losses import FACTS
from microgen.io.one_array import placed
from microgen.io.zarr_array import attributes, has, read_array, write_array, write_group
from microgen.io.zarr_pyramid import Levels, Progress, write_pyramid, write_tiled_pyramids
from microgen.microstructure import Grains, Microstructure, TiledMicrostructure
from microgen.provenance import tool_version

NAME = "ome-zarr"
SUFFIXES = (".ome.zarr", ".zarr")
FOLDER = True

VERSION = "0.5"
MICROMETRES = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4}
MICROMETRES |= {"meter": 1e6, "inch": 25400.0}
LABELS, IMAGES, PLAIN = ("grain_id", "phase_id"), ("level_set", "grey"), ("orientation", "measured")
_OWN = {"zarr.json", "labels", "grains", *IMAGES, *PLAIN}


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset(FACTS)


def is_ours(folder: Path) -> bool:
    """A folder written here, with nothing else in it: it may be replaced."""
    try:
        return "microgen" in attributes(folder)[1] and {entry.name for entry in folder.iterdir()} <= _OWN
    except (UnreadableFile, OSError):
        return False


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the sample into the folder `path`. Raises InvalidParameter when its grid is not square."""
    root, grid = Path(path), emb.square_grid(ms, "a .zarr")
    shown = {f"labels/{name}": values for name, values in _labels(ms).items()}
    shown = {name: getattr(ms, name) for name in IMAGES if getattr(ms, name) is not None} | shown
    scales = {
        name: write_pyramid(root / name, _turned(values, grid.ndim), grid, label=name.startswith("labels/"))
        for name, values in shown.items()
    }
    for name in PLAIN:
        if getattr(ms, name) is not None:
            write_array(root / name, _turned(getattr(ms, name), grid.ndim), _axes(grid.ndim))
    _tell(root, ms, scales)


def _tell(root: Path, ms: Microstructure | TiledMicrostructure, scales: Mapping[str, Levels]) -> None:
    """All but the voxels: the groups with what they say, and the table of grains."""
    labels = [name.removeprefix("labels/") for name in scales if name.startswith("labels/")]
    for name, levels in scales.items():
        more = {"image-label": {"source": {"image": "../../"}}} if name.startswith("labels/") else {}
        write_group(root / name, {"ome": {"version": VERSION, "multiscales": [_scales(levels, name)], **more}})
    write_group(root / "labels", {"ome": {"version": VERSION, "labels": labels}})
    _write_grains(root / "grains", ms)
    first = next(iter(scales))
    whole = [_scales([(f"{first}/{path}", size, centre) for path, size, centre in scales[first]], first)]
    texts = {"sample": json.loads(emb.sample_json(ms)), "provenance": emb.provenance_json(emb.provenance_of(ms))}
    write_group(root, {"ome": {"version": VERSION, "multiscales": whole}, "microgen": texts})


def write_tiled(ms: TiledMicrostructure, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write a sample that is never held as a whole: the files of the whole, byte for byte."""
    phases = np.append(-1, ms.grains.phase_id) + 1
    phases = phases.astype(np.uint8 if phases.max() <= 255 else np.int16)
    tables = {"labels/grain_id": None, "labels/phase_id": phases}
    scales = write_tiled_pyramids(Path(path), ms, tables, progress=progress)
    _tell(Path(path), ms, dict.fromkeys(tables, scales))


def _labels(ms: Microstructure) -> dict[str, np.ndarray]:
    """Labels are numbers from 0: phases are one higher than in memory."""
    grains = {} if ms.grain_id is None else {"grain_id": ms.grain_id}
    small = int(ms.phase_id.max(initial=0)) < 255
    return grains | {"phase_id": (ms.phase_id + 1).astype(np.uint8 if small else np.int16)}


def _axes(ndim: int) -> tuple[str, ...]:
    return ("z", "y", "x")[3 - ndim :]


def _turned(values: np.ndarray, ndim: int) -> np.ndarray:
    """[x, y(, z), ...] as [(z,) y, x, ...]: a view."""
    return values.transpose(*range(ndim)[::-1], *range(ndim, values.ndim))


def _scales(levels: Levels, name: str) -> dict[str, Any]:
    """The metadata of a pyramid."""
    datasets = [
        {
            "path": path,
            "coordinateTransformations": [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": translation},
            ],
        }
        for path, scale, translation in levels
    ]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in _axes(len(levels[0][1]))]
    made = "most frequent of each block" if "labels/" in name else "mean of each block"
    method = {"description": made, "method": "microgen", "version": tool_version()}
    return {"name": name.split("/")[-1], "axes": axes, "datasets": datasets, "type": made, "metadata": method}


def _write_grains(folder: Path, ms: Microstructure | TiledMicrostructure) -> None:
    if ms.grains is None:
        return
    write_group(folder, {})
    for column in fields(ms.grains):
        values = getattr(ms.grains, column.name)
        if values is not None:
            write_array(folder / column.name, np.asarray(values))


def read(path: str | Path) -> Microstructure:
    """Read our own samples whole; of others an image as grey values or labels as grains, in OME-NGFF 0.4 or 0.5.

    `FOLDER.zarr::labels/cells` names an image or labels in a folder of several. Raises UnreadableFile for damaged
    ones, UnsupportedFormat for channels, time series and other layouts.
    """
    root, _, inner = str(path).partition("::")
    folder = Path(root)
    version, said = attributes(folder, inner)
    if "microgen" in said and not inner:
        return _sample(folder, said["microgen"])
    return _foreign(folder, inner, said if version == 2 else _dict(said.get("ome", said)))


def read_embedded(path: str | Path) -> emb.Embedded:
    """Grid, phases and provenance without the arrays. Raises UnreadableFile."""
    said = attributes(Path(path))[1]
    return _embedded(said["microgen"], Path(path)) if "microgen" in said else emb.Embedded()


def _embedded(texts: Any, path: Path) -> emb.Embedded:
    texts = _dict(texts)
    return emb.parse(json.dumps(texts.get("sample")), str(texts.get("provenance", "")), path)


def _sample(root: Path, texts: Any) -> Microstructure:
    found = _embedded(texts, root)
    grid = found.grid
    assert grid is not None
    places = {name: f"labels/{name}/0" for name in LABELS} | {name: f"{name}/0" for name in IMAGES}
    places |= {name: name for name in PLAIN}
    arrays = {
        name: np.ascontiguousarray(_turned(read_array(root, place), grid.ndim))
        for name, place in places.items()
        if has(root, place)
    }
    if "phase_id" not in arrays:
        raise UnreadableFile(root, "has lost its labels/phase_id", remedy="Copy it again.")
    arrays["phase_id"] = (arrays["phase_id"].astype(np.int32) - 1).astype(np.int16)
    for name, values in arrays.items():
        wanted = (*grid.shape, 4) if name == "orientation" else grid.shape
        if values.shape != wanted:
            raise UnreadableFile(root, f"{name} has {values.shape} values, its grid has {grid.shape}")
    if "grain_id" in arrays:
        arrays["grain_id"] = emb.as_labels(arrays["grain_id"], root)
    grains = _grains(root, arrays.get("grain_id"), grid.ndim)
    ms = Microstructure(grid, **arrays)  # type: ignore[arg-type]
    return replace(ms, phases=found.phases, grains=grains, provenance=found.provenance)


def _grains(root: Path, labels: np.ndarray | None, ndim: int) -> Grains | None:
    names = [f.name for f in fields(Grains) if has(root, f"grains/{f.name}")]
    columns = {name: read_array(root, f"grains/{name}") for name in names}
    if not {"phase_id", "orientation", "volume"} <= set(columns):
        return None
    n = len(columns["phase_id"])
    shapes = {"orientation": (n, 4), "sites": (n, ndim), "metrics": (n, ndim, ndim)}
    wrong = [name for name, column in columns.items() if column.shape != shapes.get(name, (n,))]
    if wrong or (labels is not None and labels.max(initial=0) > n):
        raise UnreadableFile(root, f"its table of {n} grains is damaged ({', '.join(wrong)})")
    return Grains(**columns)


def _foreign(root: Path, inner: str, said: dict[str, Any]) -> Microstructure:
    scales = said.get("multiscales")
    if not isinstance(scales, list) or not scales:
        if has(root, inner) and not said:
            return _plain(root, inner)
        raise UnsupportedFormat(f"{root}: expected an OME-NGFF image (multiscales). Name one in it: {root}::NAME")
    first = _dict(scales[0])
    try:
        axes = [str(axis["name"]).lower() if isinstance(axis, dict) else str(axis) for axis in first["axes"]]
        units = [axis.get("unit") if isinstance(axis, dict) else None for axis in first["axes"]]
        dataset = first["datasets"][0]
        steps = [*dataset.get("coordinateTransformations", []), *first.get("coordinateTransformations", [])]
        sizes, shifts = _placed(steps, len(axes))
        place = "/".join(part for part in (inner, str(dataset["path"])) if part)
    except (TypeError, KeyError, LookupError, ValueError, AttributeError) as error:
        raise UnreadableFile(root, f"its OME metadata are damaged ({error})") from error
    values, order = _space(read_array(root, place), axes, root)
    factors = [MICROMETRES.get(str(units[k]), 0.0) for k in order]
    spacing = tuple(sizes[k] * f for k, f in zip(order, factors))
    known = all_positive(spacing)
    if "image-label" in said:
        labels = emb.as_labels(values, root)
        grid = Grid(labels.shape, spacing if known else (1.0,) * labels.ndim)
        ms = emb.labelled(labels, grid, emb.Embedded(), notes=() if known else (NO_SIZE,))
    else:
        ms = grey_volume(values, root, spacing=spacing if known else None)
    origin = tuple(shifts[k] * f - h / 2 for k, f, h in zip(order, factors, spacing))
    return placed(ms, origin=origin) if known and np.isfinite(origin).all() and any(shifts) else ms


def _plain(root: Path, inner: str) -> Microstructure:
    """An array without metadata, taken as z, y, x."""
    return grey_volume(read_array(root, inner).T, root, spacing=None)


def _placed(steps: list[Any], ndim: int) -> tuple[list[float], list[float]]:
    """Size and centre of the first voxel along each axis, in the file's units."""
    sizes, shifts = np.ones(ndim), np.zeros(ndim)
    for step in steps:
        if step["type"] == "scale":
            factor = np.array(step["scale"], float).reshape(ndim)
            sizes, shifts = sizes * factor, shifts * factor
        elif step["type"] == "translation":
            shifts = shifts + np.array(step["translation"], float).reshape(ndim)
    return sizes.tolist(), shifts.tolist()


def _space(values: np.ndarray, axes: list[str], root: Path) -> tuple[np.ndarray, list[int]]:
    """The array [x, y(, z)], channels and times being one, and which of its axes these were."""
    if values.ndim != len(axes) or len(set(axes)) != len(axes):
        raise UnreadableFile(root, f"has the axes {axes} for an array of {values.shape}")
    several = {axis: n for axis, n in zip(axes, values.shape) if axis not in "xyz" and n > 1}
    if several or not {"x", "y"} <= set(axes):
        raise UnsupportedFormat(f"{root}: expected one image with axes z, y, x, got {dict(zip(axes, values.shape))}.")
    order = [axes.index(axis) for axis in "xyz" if axis in axes]
    shape = [values.shape[k] for k in sorted(order)]
    ranks = [sorted(order).index(k) for k in order]
    return np.ascontiguousarray(values.reshape(shape).transpose(ranks)), order


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
