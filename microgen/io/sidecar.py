"""Provenance beside every file as NAME.EXT.json, and read back from the file itself or from beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.atomic import atomic_folder, atomic_path, atomic_paths, check_writable
from microgen.io.embedded import parse_provenance, provenance_json, provenance_of
from microgen.microstructure import Microstructure, TiledMicrostructure
from microgen.provenance import RECORD, Provenance

LARGEST = 64 * 2**20
"""Bytes; a provenance is some kilobytes, so that anything larger is another file."""

SECOND = {".material.yaml": ".damask.vti", ".mtl": ".obj"}
"""Endings of files that formats write beside their own."""


def sidecar_path(path: str | Path) -> Path:
    """Where the provenance of `path` lies: the same name with `.json` appended."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def write_with_provenance(
    writer: Callable[..., object],
    ms: Microstructure | TiledMicrostructure,
    path: str | Path,
    *,
    beside: Sequence[Path] = (),
    overwrite: bool = False,
    header: Callable[..., Mapping[str, Any]] | None = None,
) -> list[Path]:
    """Write `ms` by `writer(ms, temporary path)` and its provenance beside it, all whole or none.

    Formats of several files have `beside`: `writer(ms, temporary path, *temporary paths of beside)` writes those too.
    `header` gives what the JSON shall say besides: formats without a header have theirs there.
    Returns all paths. Raises OutputNotWritable, and what the writer raises for samples it cannot hold.
    """
    path = Path(path)
    paths = [path, *beside, sidecar_path(path)]
    check_writable(paths, overwrite=overwrite)
    with atomic_paths(paths, overwrite) as parts:
        writer(ms, *parts[:-1])
        _write_provenance(ms, parts[-1], header(ms) if header else None)
    return paths


def write_folder(
    writer: Callable[..., object],
    ms: Microstructure | TiledMicrostructure,
    path: str | Path,
    *,
    ours: Callable[[Path], bool],
    overwrite: bool = False,
) -> list[Path]:
    """Write `ms` by `writer(ms, temporary folder)` and its provenance beside it, both whole or neither.

    A folder that is there is replaced with `overwrite`, if it is one of `ours`. Returns and raises as above.
    """
    path = Path(path)
    check_writable([sidecar_path(path)], overwrite=overwrite, folders=[path], ours=ours)
    with atomic_folder(path, overwrite, ours=ours) as part:
        writer(ms, part)
        write_sidecar(ms, path, overwrite=overwrite)
    return [path, sidecar_path(path)]


def write_sidecar(
    ms: Microstructure | TiledMicrostructure,
    path: str | Path,
    *,
    overwrite: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write the provenance of `ms`, and `more`, beside `path` and return where. Raises OutputNotWritable."""
    with atomic_path(sidecar_path(path), overwrite) as part:
        _write_provenance(ms, part, more)
    return sidecar_path(path)


def _write_provenance(ms: Microstructure | TiledMicrostructure, part: Path, more: Mapping[str, Any] | None) -> None:
    text = provenance_json(provenance_of(ms), indent=2)
    if more:
        text = json.dumps({**more, **json.loads(text)}, indent=2)
    part.write_text(text + "\n", encoding="ascii")


def read_provenance(path: str | Path) -> Provenance:
    """Provenance of any file or folder microgen wrote: embedded, else from the JSON beside it.

    A provenance file itself may be given too. Raises UnreadableFile when there is none or it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(path, "does not exist", remedy="Check the path.")
    if path.is_file() and path.suffix.lower() == ".json":
        return _read_json(path)
    provenance = _embedded(path) if path.is_file() else _in_folder(path)
    if provenance is not None:
        return provenance
    for whole in (path, *_mains(path)):
        if sidecar_path(whole).is_file():
            return _read_json(sidecar_path(whole))
    raise UnreadableFile(
        path,
        f"holds no provenance and there is no {sidecar_path(path).name} beside it",
        remedy="Give a file microgen wrote, with its JSON.",
    )


def _mains(path: Path) -> list[Path]:
    """The file that `path` is the second one of, which has the provenance of both beside it."""
    return [
        path.with_name(path.name.removesuffix(end) + main) for end, main in SECOND.items() if path.name.endswith(end)
    ]


def _embedded(path: Path) -> Provenance | None:
    """Provenance in the file, found by the file's first bytes rather than by its name."""
    from microgen.io import dream3d_read, glb, nifti, npz, nrrd, ome_tiff, threemf, vti

    try:
        with open(path, "rb") as file:
            start = file.read(64)
        if start[:4] in ome_tiff.MAGIC:
            return ome_tiff.read_embedded(path).provenance
        if start.lstrip().startswith((b"<?xml", b"<VTKFile")):
            return vti.read_embedded(path).provenance
        if start.startswith(nrrd.MAGIC):
            return nrrd.read_embedded(path).provenance
        if start.startswith(nifti.MAGIC) or path.name.lower().endswith(nifti.SUFFIXES):
            return nifti.read_embedded(path).provenance
        if start.startswith(npz.MAGIC) and npz.is_npz(path):
            return npz.read_embedded(path).provenance
        if start.startswith(threemf.MAGIC):
            return threemf.read_embedded(path)
        if start.startswith(glb.MAGIC):
            return glb.read_embedded(path)
        if start.startswith(b"\x89HDF"):
            return dream3d_read.read_embedded(path)
        if start.lower().startswith(b"<!doctype html"):
            return _in_page(path)
    except UnsupportedFormat:
        return None
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})") from error
    return None


def _in_page(path: Path) -> Provenance | None:
    if path.stat().st_size > LARGEST:
        return None
    _, found, rest = path.read_text(encoding="utf-8", errors="replace").partition(RECORD[0])
    return parse_provenance(unescape(rest.partition(RECORD[1])[0]), path) if found else None


def _in_folder(path: Path) -> Provenance | None:
    from microgen.io import ome_zarr

    return ome_zarr.read_embedded(path).provenance if (path / "zarr.json").is_file() else None


def _read_json(path: Path) -> Provenance:
    try:
        if path.stat().st_size > LARGEST:
            raise UnreadableFile(path, "is too large for a provenance file")
        return parse_provenance(path.read_bytes(), path)
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})") from error
