"""DAMASK 3: NAME.damask.vti with the cell array `material`, and NAME.material.yaml with what these numbers mean.

Lengths in metres, x fastest, materials from 0: grain k is material k - 1, and void is the last one, of phase `void`.
The solver reads its grid line by line and inline arrays only. Orientations are as ours (passive, P = -1, scalar first);
`O` is written with a scalar that is not negative, as DAMASK wants it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.io.grain_volume import GrainVolume, grain_volume
from microgen.io.vtk_xml import Array, ImageFile, text_array, write_image
from microgen.microstructure import Grains, Microstructure, Phase

NAME = "damask"
SUFFIXES = (".damask.vti", ".vti")
NEEDS = ("volume", "grains")
VOID = "void"
"""Phase of the voxels that belong to no grain."""

_LARGEST = 2**28
_LATTICES = {"-3": "hP", "-3m": "hP", "6/m": "hP", "6/mmm": "hP"}
_LAUE = {"c": "m-3m", "h": "6/mmm", "t": "4/mmm", "o": "mmm", "m": "2/m", "a": "-1"}
_REMEDY = "Write or copy it again, with its NAME.material.yaml."
_TO_FILL = {"m-3m": "cF or cI", "m-3": "cF or cI", "4/m": "tI", "4/mmm": "tI"}


def beside(path: Path) -> list[Path]:
    """NAME.material.yaml for NAME.damask.vti."""
    name = path.name
    cut = next((s for s in SUFFIXES if name.lower().endswith(s)), path.suffix)
    return [path.with_name(name[: len(name) - len(cut)] + ".material.yaml")]


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset(
        {"grain_id", "phase_id", "grain_orientations", "volumes", "phases", "spacing", "origin", "periodic"}
    )


def write(ms: Microstructure, path: str | Path, material: Path | None = None) -> None:
    """Write the grid to `path` and the materials to `material`, or beside it.

    Raises InvalidParameter for planes, and for samples without grains or orientations.
    """
    volume = grain_volume(ms, "DAMASK")
    if VOID in (phase.name for phase in volume.phases):
        raise InvalidParameter("phases", expected=f"names other than {VOID}, which means no grain", got=VOID)
    flat, void = volume.labels.ravel(order="F"), len(volume.phase_id)
    numbers = np.append(void, np.arange(void))
    cells = [Array("material", "Int32", 1, len(flat), lambda a, b: numbers[flat[a:b]])]
    fields = [
        text_array("comments", "made by microgen"),
        text_array("provenance", emb.provenance_json(emb.provenance_of(ms))),
        text_array("sample", emb.sample_json(ms)),
    ]
    grid = volume.grid
    spacing, origin = (tuple(length / 1e6 for length in lengths) for lengths in (grid.spacing, grid.origin))
    write_image(path, Grid(grid.shape, spacing, origin), fields=fields, cells=cells, inline=True)
    other = material or beside(Path(path))[0]
    with open(other, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(_yaml(volume))


def _yaml(volume: GrainVolume) -> Iterator[str]:
    """Laid out line for line as DAMASK's own package does."""
    has_void = bool((volume.labels == 0).any())
    yield "# Phases are to be filled in: lattice, elastic and plastic law; see https://damask-multiphysics.org\n"
    yield "homogenization:\n  SX:\n    N_constituents: 1\n    mechanical: {type: pass}\nphase:\n"
    for phase in volume.phases:
        yield from _phase(phase)
    if has_void:
        yield f"  {VOID}:\n    # a law for empty space, such as a soft isotropic solid\n    mechanical:\n"
        yield "      output: [F, P]\n"
    yield "material:\n"
    names = [_scalar(phase.name) for phase in volume.phases]
    rows = [(names[k], q) for k, q in zip(volume.phase_id.tolist(), volume.orientation.tolist())]
    for name, q in rows + [(VOID, [1.0, 0.0, 0.0, 0.0])] * has_void:
        yield f"- constituents:\n  - phase: {name}\n    O: {q}\n    v: 1.0\n  homogenization: SX\n"


def _phase(phase: Phase) -> Iterator[str]:
    """What is known of a phase; its Bravais lattice is, of the Laue group, in hexagonal ones only."""
    yield f"  {_scalar(phase.name)}:\n"
    if phase.laue_group in _LATTICES:
        yield f"    lattice: {_LATTICES[phase.laue_group]}\n"
        if len(phase.lattice) == 6:
            yield f"    c/a: {phase.lattice[2] / phase.lattice[0]!r}\n"
    else:
        yield f"    # lattice: to be filled in ({_TO_FILL.get(phase.laue_group, phase.laue_group)})\n"
    yield "    mechanical:\n      output: [F, P, O]\n      # elastic, plastic: to be filled in\n"


def _scalar(name: str) -> str:
    """A name as it is where that is a text in YAML, else in quotes."""
    plain = re.fullmatch(r"[A-Za-z][\w.-]*( [\w.-]+)*", name, re.ASCII)
    reserved = name.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return name if plain and not reserved else json.dumps(name, ensure_ascii=False)


def read(path: str | Path) -> Microstructure:
    """Read a grid, with the materials beside it where they are. One of several constituents counts, the largest.

    Raises UnreadableFile for damaged files, UnsupportedFormat for grids without `material`.
    """
    path = Path(path)
    image = ImageFile.open(path)
    if "material" not in image.cells or image.grid.ndim != 3:
        raise UnsupportedFormat(f"{path}: expected a volume with the cell array material, got {sorted(image.cells)}.")
    numbers = emb.as_labels(_whole(image.cell_array("material")), path)
    sample, provenance = image.text("sample"), image.text("provenance")
    found = emb.Embedded() if sample is None else emb.parse_sample(sample, path)
    if provenance is not None:
        found = replace(found, provenance=emb.parse_provenance(provenance, path))
    if found.grid is not None and found.grid.shape != image.grid.shape:
        raise UnreadableFile(path, f"describes a grid of {found.grid.shape} and holds {image.grid.shape} cells")
    spacing, origin = (tuple(x * 1e6 for x in lengths) for lengths in (image.grid.spacing, image.grid.origin))
    grid = found.grid or Grid(image.grid.shape, spacing, origin, (True, True, True))
    other = beside(path)[0]
    if not other.is_file():
        return _alone(numbers, grid, found, other)
    return _with_materials(numbers, grid, found, other)


def _whole(values: np.ndarray) -> np.ndarray:
    """DAMASK allows whole numbers in floats."""
    whole = values.dtype.kind == "f" and np.isfinite(values).all() and (np.abs(values) < 2**31).all()
    return values.astype(np.int64) if whole and (values % 1 == 0).all() else values


def _alone(numbers: np.ndarray, grid: Grid, found: emb.Embedded, other: Path) -> Microstructure:
    note = f"no {other.name} beside it: phases and orientations are not known"
    return emb.labelled(numbers + 1, grid, emb.Embedded(grid, provenance=found.provenance), notes=(note,))


def _with_materials(numbers: np.ndarray, grid: Grid, found: emb.Embedded, other: Path) -> Microstructure:
    config, notes = _config(other), ()
    names, orientation = _materials(other, config)
    if numbers.max() >= len(names):
        raise UnreadableFile(other, f"lists {len(names)} materials, the grid has number {numbers.max()}")
    listed = [name for name in dict.fromkeys([*config["phase"], *names]) if name != VOID]
    phases = tuple(_listed(name, config["phase"].get(name), found.phases) for name in listed)
    of_name = {name: k for k, name in enumerate(listed)}
    solid = np.array([name != VOID for name in names])
    label = np.append(0, np.where(solid, np.cumsum(solid), 0)).astype(np.int32)
    labels = label[numbers + 1]
    kept = [k for k, name in enumerate(names) if name != VOID]
    phase_id = np.array([of_name[names[k]] for k in kept], np.int16)
    count = np.bincount(labels.ravel(), minlength=len(kept) + 1)[1:]
    grains = Grains(phase_id, orientation[kept], count * grid.cell_measure)
    table = np.append(np.int16(-1), phase_id)
    if found.grid is None:
        notes = ("lengths taken as metres, the box as periodic, as DAMASK does",)
    return Microstructure(grid, table[labels], phases, labels, grains=grains, provenance=found.provenance, notes=notes)


def _listed(name: str, entry: Any, known: tuple[Phase, ...]) -> Phase:
    """A phase as the sample describes it, or else by its lattice."""
    ours = next((phase for phase in known if phase.name == name), None)
    lattice = str(entry.get("lattice", "")) if isinstance(entry, Mapping) else ""
    return ours or Phase(name, _LAUE.get(lattice[:1], "m-3m"))


def _config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        if path.stat().st_size > _LARGEST:
            raise UnreadableFile(path, f"is larger than {_LARGEST} bytes, too large for a material configuration")
        config = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        reason = str(error).split("\n")[0]
        raise UnreadableFile(path, f"is no YAML ({reason})", remedy=_REMEDY) from error
    if not isinstance(config, dict) or not isinstance(config.get("material"), list):
        raise UnreadableFile(path, "holds no list of materials", remedy=_REMEDY)
    phases = config.get("phase")
    return config | {"phase": {str(name): v for name, v in phases.items()} if isinstance(phases, dict) else {}}


def _materials(path: Path, config: dict[str, Any]) -> tuple[list[str], np.ndarray]:
    """Phase and orientation [n, 4] of each material."""
    names, orientation = [], np.empty((len(config["material"]), 4))
    for k, material in enumerate(config["material"]):
        try:
            largest = max(material["constituents"], key=lambda part: float(part.get("v", 1.0)))
            names.append(str(largest["phase"]))
            orientation[k] = largest["O"]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            problem = f"material {k} has no phase or orientation ({type(error).__name__}: {error})"
            raise UnreadableFile(path, problem, remedy=_REMEDY) from error
        if not abs(np.linalg.norm(orientation[k]) - 1) < 1e-3:
            raise UnreadableFile(path, f"the orientation of material {k} is no unit quaternion", remedy=_REMEDY)
    return names, orientation
