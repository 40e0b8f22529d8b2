"""Pictures, pages and windows of a sample, for `microgen view` and `--preview`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import microgen
from microgen import Microstructure
from microgen.errors import InvalidParameter, NoGrains
from microgen.io import file_of
from microgen.io.atomic import atomic_path
from microgen.report import draw_sheet, render_viewer, show_window

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
