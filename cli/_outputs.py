"""Which files a run writes, under which names, and whether they can be written at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgen import Microstructure
from microgen.errors import InvalidParameter, OutputNotWritable, UnsupportedFormat
from microgen.io import check_sample, files_beside, find_writer, is_folder, needs, suffixes_of
from microgen.io.atomic import check_writable
from microgen.io.ome_zarr import is_ours
from microgen.io.sidecar import sidecar_path

from ._json import plain

HTML = (".html", ".htm")
PAGE = "report.html"
"""Name of the page where --report names a folder."""


@dataclass(frozen=True)
class Outputs:
    """Everything one sample is written to."""

    files: tuple[Path, ...]
    """Written by `microgen.write`; the suffix picks the format."""
    report: Path | None = None
    """One self-contained page."""
    stl_folder: Path | None = None
    """One closed STL a grain."""
    beside: tuple[Path, ...] = ()
    """What `microgen.write` writes beside `files`: the second files of formats that take two."""

    def __iter__(self) -> Iterator[Path]:
        yield from self.files
        yield from self.beside
        yield from (path for path in (self.report, self.stl_folder) if path)

    @property
    def sidecars(self) -> tuple[Path, ...]:
        """Provenance files beside the outputs."""
        return tuple(sidecar_path(path) for path in (*self.files, *([self.stl_folder] if self.stl_folder else [])))

    def member(self, number: int, digits: int = 4) -> Outputs:
        """The same outputs for one member of an ensemble: rve.tif becomes rve_0001.tif."""
        tag = f"_{number:0{digits}d}"
        folder = tagged(self.stl_folder, tag) if self.stl_folder else None
        return Outputs(tuple(tagged(path, tag) for path in self.files), None, folder, self._members_beside(tag))

    def _members_beside(self, tag: str) -> tuple[Path, ...]:
        return tuple(tagged(path, tag) for path in self.beside)

    def check(self, *, overwrite: bool) -> None:
        """Refuse before computing what could not be written afterwards."""
        zarr = [path for path in self.files if is_folder(path)]
        check_writable([], overwrite=overwrite, folders=zarr, ours=is_ours)
        files = [path for path in (*self.files, *self.beside, *self.sidecars) if path not in zarr]
        if self.report and (self.report.parent.is_dir() or self.report.name != PAGE):
            files.append(self.report)
        elif self.report:  # its folder will be made: what counts is whether that can be
            files.append(self.report.parent)
        folders = [self.stl_folder] if self.stl_folder else []
        check_writable(files, overwrite=overwrite, folders=folders, ours="*.stl")

    def fit(self, *, ndim: int | None, grains: bool, format: str | None, flat_cells: bool = False) -> None:
        """Refuse, before anything is made, formats that cannot hold it; `ndim` is None where it is not known yet."""
        if self.stl_folder is not None and ndim == 2:
            expected = "3 numbers of voxels (--shape) for closed surfaces"
            raise InvalidParameter("--stl-grains", expected=expected, got=str(self.stl_folder))
        for path in self.files:
            wanted = needs(path, format_for(path, format))
            if "volume" in wanted and ndim == 2:
                raise InvalidParameter("--out", expected="3 numbers of voxels (--shape) for this format", got=str(path))
            if "grains" in wanted and not grains:
                remedy = "Write .vti, .tif or .nii.gz, or a polycrystal."
                raise InvalidParameter("--out", expected="a format that needs no grains", got=str(path), remedy=remedy)
            if "one body" in wanted and grains:
                remedy = "Grains that touch make no closed surface together: use .3mf, or --stl-grains FOLDER."
                raise InvalidParameter("--out", expected="a format that holds grains", got=str(path), remedy=remedy)
            if "flat cells" in wanted and not flat_cells:
                remedy = "Add --cells laguerre, or write .tesr, .vti or .tif."
                raise InvalidParameter("--out", expected="a format of voxels", got=str(path), remedy=remedy)

    def done(self, identity: dict[str, Any]) -> bool:
        """True when all is there and comes from the run `identity`; files of other runs are an error."""
        for path in self.files:  # our files never come without their provenance
            if path.exists() and not sidecar_path(path).exists():
                raise OutputNotWritable(
                    f"{path} exists and does not say which run made it. Use --overwrite to replace it."
                )
        found = [path for path in self.sidecars if path.exists()]
        for path in found:
            if _identity(path) != plain(identity):
                raise OutputNotWritable(
                    f"{path.with_suffix('')} comes from another run, so --resume cannot go on from it. "
                    "Repeat the flags of that run, or use --overwrite."
                )
        return bool(found) and len(found) == len(self.sidecars) and all(path.exists() for path in self)


def _identity(sidecar: Path) -> object:
    try:
        return json.loads(sidecar.read_text(encoding="utf-8"))["configuration"]["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def plan(
    out: tuple[Path, ...], *, source: Path | None, report: Path | None, stl_folder: Path | None, format: str | None
) -> Outputs:
    """Outputs asked for; without any --out, files named after the scan in the working folder, and the page."""
    for path in out:
        check_suffix(path, format)
    if format and out and not any(format_for(path, format) for path in out):
        raise InvalidParameter("--format", expected="a format of one of the outputs", got=format)
    page = report if report is None or report.suffix.lower() in HTML else report / PAGE
    if out or (source is None and (page or stl_folder)):
        return Outputs(out, page, stl_folder, others_of(out, format))
    if source is None:
        expected = "at least one output file when there is no --ebsd scan to name the results after"
        raise InvalidParameter("--out", expected=expected, got="none", remedy="Example: --out rve.tif --out rve.vti")
    stem = f"{source.stem}_rve"
    files = (Path(f"{stem}.tif"), Path(f"{stem}.vti"), Path(f"{stem}.csv"))
    return Outputs(files, page or Path(f"{stem}_report.html"), stl_folder)


def others_of(files: Sequence[Path], format: str | None) -> tuple[Path, ...]:
    """The files that come beside those named, apart from their provenance."""
    return tuple(other for path in files for other in files_beside(path, format_for(path, format)))


def tagged(path: Path, tag: str) -> Path:
    """The path with `tag` before its suffixes; of several dots only those of a format count (`a.damask.vti`)."""
    known = [
        suffix
        for suffix in (".damask.vti", ".faces.csv", ".material.yaml", ".ome.tiff", ".ome.tif", ".ome.zarr", ".nii.gz")
        if path.name.lower().endswith(suffix)
    ]
    cut = len(path.name) - len(known[0] if known else path.suffix)
    return path.with_name(path.name[:cut] + tag + path.name[cut:])


def check_suffix(path: Path, format: str | None, *, name: str = "--out") -> None:
    """An output suffix that is not known is a wrong parameter, not a wrong file."""
    try:
        find_writer(path, format_for(path, format))
    except UnsupportedFormat as error:
        expected = "the suffix of a known format"
        raise InvalidParameter(name, expected=expected, got=str(path), remedy=str(error)) from None


def format_for(path: Path, format: str | None) -> str | None:
    """`--format` where the named format has this suffix, else None: the suffix alone decides."""
    if format is None:
        return None
    return format if path.name.lower().endswith(suffixes_of(find_writer(path, format), "write")) else None


def check_sample_fits(sample: Microstructure, out: Sequence[Path], format: str | None, *, name: str = "--out") -> None:
    """Refuse, before the first file is written, formats that take other samples than this one."""
    for path in out:
        wanted, remedy = needs(path, format_for(path, format)), "Leave it out, or write .vti, .tif or .npz."
        if "volume" in wanted and sample.grid.ndim != 3:
            raise InvalidParameter(name, expected="formats of a plane", got=f"{path}, of a volume", remedy=remedy)
        if "grains" in wanted and sample.grain_id is None:
            raise InvalidParameter(name, expected="formats that need no grains", got=str(path), remedy=remedy)
        if "one body" in wanted and sample.grain_id is not None:
            remedy = "Grains that touch make no closed surface together: use .3mf, or microgen mesh FILE --each-grain."
            raise InvalidParameter(name, expected="formats that hold grains", got=str(path), remedy=remedy)
        check_sample(sample, path, format_for(path, format))
