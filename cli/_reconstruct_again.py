"""The diagram of `microgen reconstruct` fitted again to the map it was fitted to, and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import microgen
from microgen import Provenance
from microgen.errors import MicrogenError, TargetNotMet, UnreadableFile

from . import reconstruct
from ._flags import Talk
from ._progress import Reporter


def rerun(
    made: Provenance,
    original: Path,
    out: tuple[Path, ...],
    *,
    find: Callable[..., Path],
    format: str | None,
    talk: Talk,
) -> int:
    """Fit to the map as `made` says. Raises TargetNotMet where the result differs from `original`."""
    told = made.configuration["reconstruct"]
    try:
        source = find(Path(str(told["ebsd"])), made, original)
        lists = {name: tuple(told[name]) for name in ("shape", "spacing")}
        wanted = reconstruct.Wanted(**{**told, **lists, "ebsd": source})
    except (KeyError, TypeError) as error:
        raise UnreadableFile(original, f"its provenance holds no reconstruction ({error})") from None
    code = reconstruct.run(wanted, out, format=format, talk=talk)
    if not original.is_file():
        return code
    for path in out:
        if same(original, path) is False:
            raise TargetNotMet(f"{path} differs from {original}: other version or input?")
    Reporter(quiet=talk.quiet).say(f"identical with {original}, as far as formats can be compared")
    return code


def same(one: Path, two: Path) -> bool | None:
    """Do two files hold the same grains? None where the formats cannot be compared."""
    if one.suffix == two.suffix == ".csv":
        return one.read_bytes() == two.read_bytes()
    try:
        first, second = microgen.read(one), microgen.read(two)
    except MicrogenError:
        return None
    if first.grain_id is None or second.grain_id is None:
        return None
    return bool(np.array_equal(first.grain_id, second.grain_id))
