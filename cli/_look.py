"""Pictures, pages and windows of a sample, for `microgen view` and `--preview`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import microgen
from microgen import Microstructure
from microgen.errors import InvalidParameter, MicrogenError, NoGrains
from microgen.io import file_of
from microgen.io.atomic import atomic_path, check_writable
from microgen.report import MOST_TILES, contact_sheet, draw_sheet, has_screen, render_viewer, show_window, tile

from ._job import Run
from ._outputs import HTML


def outputs_of(file: Path, out: Sequence[Path], *, shown: bool) -> tuple[Path, ...]:
    """Files to write: those asked for, else, where no window is shown, a picture and a page in the working folder."""
    for path in out:
        if path.suffix.lower() not in (".png", *HTML):
            raise InvalidParameter("--out", expected="a picture (.png) or a page (.html)", got=str(path))
    if out or shown:
        return tuple(out)
    stem = file_of(file).name.split(".")[0] or "volume"
    return Path(f"{stem}_view.png"), Path(f"{stem}_view.html")


def with_grains(ms: Microstructure, *, threshold: float, min_pixels: int) -> Microstructure:
    """A scan with the grains in it, so that their boundaries can be drawn; anything else as it is."""
    if ms.grid.ndim != 2 or ms.orientation is None or ms.grain_id is not None:
        return ms
    try:
        found = microgen.segment_grains(ms, threshold=threshold, min_pixels=min_pixels)
    except NoGrains:
        return ms
    return replace(ms, grain_id=found.grain_id)


def write(ms: Microstructure, path: Path, *, color: str | None, title: str, overwrite: bool) -> None:
    """One picture or page, by its suffix."""
    with _flag():
        data = (
            render_viewer(ms, way=color, title=title).encode("utf-8")
            if path.suffix.lower() in HTML
            else draw_sheet(ms, way=color, title=title)
        )
    with atomic_path(path, overwrite) as part:
        part.write_bytes(data)


def open_window(ms: Microstructure, *, color: str | None, title: str) -> None:
    """Until it is closed."""
    with _flag():
        show_window(ms, way=color, title=title)


@contextmanager
def _flag() -> Iterator[None]:
    """Errors about the colouring name the flag."""
    try:
        yield
    except InvalidParameter as error:
        raise InvalidParameter("--color", expected=error.expected, got=error.got, remedy=error.remedy) from None


def preview_path(job: Run) -> Path:
    """rve.tif is previewed in rve_preview.png, its member 3 alone in rve_0003_preview.png."""
    first = next(iter(job.outputs))
    tag = f"_{job.member:04d}" if job.member else ""
    return first.with_name(f"{first.name.split('.')[0]}{tag}_preview.png")


def check(job: Run) -> None:
    """Refuse a preview that could not be written, before anything is computed."""
    if job.preview and (job.samples or not has_screen()):
        check_writable([preview_path(job)], overwrite=job.replaces)


def preview_file(sample: Microstructure, job: Run) -> list[Path]:
    """With --preview and without a screen: the picture of a sample."""
    if not job.preview or has_screen():
        return []
    path = preview_path(job)
    with job.reporter.stage("drawing the preview", "preview"), atomic_path(path, job.replaces) as part:
        part.write_bytes(draw_sheet(sample, title=path.name.removesuffix("_preview.png")))
    return [path]


def preview_window(sample: Microstructure, job: Run) -> None:
    """With --preview and a screen: a window, until it is closed."""
    if job.preview and has_screen():
        show_window(sample, title=preview_path(job).name.removesuffix("_preview.png"))


def contact(job: Run, files: Mapping[int, Path], tiles: Mapping[int, Any]) -> list[Path]:
    """With --preview: the picture of all members; those made by an earlier run are read from their `files`."""
    if not job.preview:
        return []
    drawn = {k: tiles[k] if k in tiles else _tile_of(file) for k, file in list(files.items())[:MOST_TILES]}
    pictures = [(pixels, files[k].name) for k, pixels in drawn.items() if pixels is not None]
    if not pictures:
        return []
    path = preview_path(job)
    with atomic_path(path, job.replaces) as part:
        part.write_bytes(contact_sheet(pictures, title=path.name.removesuffix("_preview.png"), total=len(files)))
    return [path]


def _tile_of(file: Path) -> Any:
    """None where there is no such member, or its format cannot be read back."""
    try:
        return tile(microgen.read(file)) if file.exists() else None
    except MicrogenError:
        return None
