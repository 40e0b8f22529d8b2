"""`microgen view FILE`: look at any readable file, in a window, as pictures, or as a page for a browser."""

from __future__ import annotations

from math import radians
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from microgen.errors import InvalidParameter
from microgen.io.atomic import check_writable
from microgen.io.grain_lists import SUFFIXES as TABLES
from microgen.report import has_screen, require_screen

from ._flags import Talk
from ._look import open_window, outputs_of, with_grains, write
from ._progress import Reporter
from ._result import finish, result_object
from ._sites import shown as drawn
from ._volume import VolumeFlags, read_by_looks

Way = Literal["ipf-x", "ipf-y", "ipf-z", "phase", "grain", "level-set", "grey"]


def view(
    file: Path,
    *,
    out: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    color: Way | None = None,
    window: bool = False,
    format: str | None = None,
    raw_shape: tuple[int, int, int] | None = None,
    raw_type: str = "",
    threshold: float = 5.0,
    min_pixels: int = 10,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Look at a scan, a volume or a sample: in a window where there is a screen, else as a picture and a page.

    Parameters
    ----------
    file
        Any readable file; of a list of grains (.csv, .txt) the volume is drawn.
    out
        Write this instead of opening a window: a picture with views and slices (.png), or a page that turns and cuts
        the sample in a browser, without network or server (.html). May be given several times.
    color
        ipf-x, ipf-y, ipf-z, phase, grain, level-set or grey; default: the most telling one of the file.
    window
        Open a window although --out is given.
    format
        Settles a suffix with two meanings.
    raw_shape
        Voxels along x, y, z of a .raw file without a JSON; x is fastest.
    raw_type
        Type of its values: uint8 (the default), uint16, >u2, float32 ...
    threshold
        Misorientation that separates two grains of a scan, degrees.
    min_pixels
        Smaller grains of a scan are given to their neighbours.
    """
    reporter = Reporter(quiet=talk.quiet)
    if not 0 < threshold <= 180:
        raise InvalidParameter("--threshold", expected="an angle above 0 degrees", got=threshold)
    if window:
        require_screen()
    shown = window or (not out and has_screen())
    paths = outputs_of(file, out, shown=shown)
    check_writable(paths, overwrite=talk.overwrite)
    with reporter.stage("reading", "read"):
        flags = VolumeFlags(raw_shape=raw_shape or (), raw_type=raw_type)
        table = format is None and file.suffix.lower() in TABLES
        ms = drawn(file) if table else read_by_looks(file, format, flags)
        ms = with_grains(ms, threshold=radians(threshold), min_pixels=min_pixels)
    for note in ms.notes:
        reporter.say(f"note: {note}")
    for path in paths:
        with reporter.stage(f"drawing {path.name}", "draw"):
            write(ms, path, color=color, title=file.name, overwrite=talk.overwrite)
    if shown:
        open_window(ms, color=color, title=file.name)
    finish(result_object("view", reporter, paths, file=str(file), window=shown), json=talk.json)
    return 0
