"""Which files a run writes, under which names, and whether they can be written at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgen.io.atomic import check_writable

from microgen.errors import InvalidParameter, OutputNotWritable, UnsupportedFormat

HTML = (".html", ".htm")


@dataclass(frozen=True)
class Outputs:
    """Everything one sample is written to."""

    files: tuple[Path, ...]
    """Written by `microgen.write`; the suffix picks the format."""
    report: Path | None = None
    """One self-contained page."""
    stl_folder: Path | None = None
    """One closed STL a grain."""
    format: str | None = None

    def __iter__(self):
        yield from self.files
        if self.report:
            yield self.report

    def sidecars(self) -> tuple[Path, ...]:
        """Provenance files beside the outputs."""
        return tuple(path.with_name(path.name + ".json") for path in self.files)

    def member(self, number: int, digits: int) -> Outputs:
        """The same outputs for one member of an ensemble: rve.tif becomes rve_0001.tif."""
        tag = f"_{number:0{digits}d}"
        folder = self.stl_folder / tag.removeprefix("_") if self.stl_folder else None
        return Outputs(tuple(tagged(p, tag) for p in self.files), None, folder, self.format)

    def check(self, *, overwrite: bool) -> None:
        """Refuse before computing what could not be written afterwards."""
        for path in self.files:
            check_format(path, self.format)
        folders = [self.stl_folder] if self.stl_folder else []
        check_writable((*self, *self.sidecars()), overwrite=overwrite, folders=folders, ours="*.stl")

    def done(self, configuration: dict[str, Any], seed: int) -> bool:
        """True when all files exist and come from this very run; other files under these names are an error."""
        if not all(path.exists() for path in (*self, *self.sidecars())):
            return False
        for path, sidecar in zip(self.files, self.sidecars()):
            try:
                made = json.loads(sidecar.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return False
            if made.get("configuration") != json.loads(json.dumps(configuration)) or made.get("seed") != seed:
                raise OutputNotWritable(f"{path} comes from another run, so --resume cannot keep it. Use --overwrite.")
        return True


def plan(out: tuple[Path, ...], *, scan: Path | None, report: Path | None, stl_folder: Path | None) -> Outputs:
    """Outputs asked for; without any, four files named after the scan in the working folder."""
    page = report if report is None or report.suffix.lower() in HTML else report / "report.html"
    if out or report or stl_folder:
        return Outputs(out, page, stl_folder)
    if scan is None:
        raise InvalidParameter(
            "--out",
            expected="at least one output file when there is no --ebsd scan to name them after",
            got="none",
            remedy="Example: --out rve.tif",
        )
    stem = f"{scan.stem}_rve"
    return Outputs((Path(f"{stem}.tif"), Path(f"{stem}.vti"), Path(f"{stem}.csv")), Path(f"{stem}_report.html"))


def tagged(path: Path, tag: str) -> Path:
    """The path with `tag` before its suffixes; only suffixes of formats count (`a.damask.vti`)."""
    name = path.name
    suffix = ".damask.vti" if name.lower().endswith(".damask.vti") else path.suffix
    stem = name[: len(name) - len(suffix)]
    return path.with_name(f"{stem}{tag}{name[len(stem) :]}")


def check_format(path: Path, name: str | None) -> None:
    """An output suffix that is not known is a wrong parameter, not a wrong file."""
    from microgen.io import find_writer

    try:
        find_writer(path, name)
    except UnsupportedFormat as error:
        raise InvalidParameter("--out", expected="a suffix of a known format", got=path.name, remedy=str(error)) from None

