"""One step of `microgen interpolate` made again from both ends, and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import microgen
from microgen import Provenance
from microgen.errors import TargetNotMet, UnreadableFile

from . import interpolate
from ._flags import Talk
from ._outputs import Outputs, check_suffix, format_for, others_of
from ._progress import Reporter
from ._reconstruct_again import same
from ._result import finish, grid_object, result_object


def rerun(
    made: Provenance,
    original: Path,
    out: tuple[Path, ...],
    *,
    find: Callable[..., Path],
    format: str | None,
    talk: Talk,
) -> int:
    """The sample at the t that `made` names. Raises TargetNotMet where the result differs from `original`."""
    reporter, told = Reporter(quiet=talk.quiet), dict(made.configuration["interpolate"])
    for path in out:
        check_suffix(path, format)
    Outputs(out, beside=(others := others_of(out, format))).check(overwrite=talk.overwrite)
    try:
        t = float(told.pop("t"))
        ends = {name: find(Path(str(told[name])), made, original) for name in ("a", "b")}
        way = interpolate.Way(**{**told, **ends, "shape": tuple(told["shape"])})
    except (KeyError, TypeError) as error:
        raise UnreadableFile(original, f"its provenance holds no way between two samples ({error})") from None
    path = interpolate.laid(way, reporter)
    with reporter.stage("making the sample again", "solve") as progress:
        sample, _ = interpolate.at(path, t, way, progress)
    for name in out:
        microgen.write(sample, name, format=format_for(name, format), overwrite=talk.overwrite)
    alike = [same(original, name) for name in out] if original.is_file() else []
    fields = {"grid": grid_object(sample.grid), "identical": None if None in alike or not alike else all(alike)}  # type: ignore[arg-type]
    finish(result_object("rerun", reporter, [*out, *others], **fields), json=talk.json)
    if False in alike:
        raise TargetNotMet(f"the arrays differ from those in {original}: other version or input?")
    return 0
