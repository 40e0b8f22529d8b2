"""`microgen atlas --find`: the textures of an atlas nearest to wished statistics, and the commands that make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

import microgen
from microgen import Atlas
from microgen.errors import InvalidParameter
from microgen.report import command_line

from ._flags import Common
from ._json import dumps
from ._progress import Reporter
from ._request import demand
from ._result import result_object
from ._units import MICROMETRES, length

_PER = re.compile(r"(.*?)\s*(?:1?/\s*(\S+?)([23]?))?")
FAR = 0.1
"""Share by which a figure may miss its wish before it is worth a warning."""


@Parameter(name="*", group=Group("Look-up", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to look for, and where."""

    find: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """A wish: porosity=0.7, thickness=120um, kappa_1=30/mm, ... May be given several times."""
    atlas: Path = Path("atlas.csv")
    """The atlas to look in."""
    nearest: int = 5
    """How many to list."""
    spacing: float | None = None
    """Size of a voxel to make the texture with; default: as the atlas made it, scaled to the wish."""

    def __post_init__(self) -> None:
        demand(self.nearest >= 1, "--nearest", "1 or more", self.nearest)
        demand(self.spacing is None or 0 < self.spacing < float("inf"), "--spacing", "a length above 0", self.spacing)


def look_up(wish: Wish, common: Common) -> int:
    """List the nearest entries, and print the command that makes the first."""
    reporter = Reporter(quiet=common.quiet)
    wished = dict(parse(text) for text in wish.find)
    demand(len(wished) == len(wish.find), "--find", "each statistic once", wish.find)
    table = microgen.read_atlas(wish.atlas)
    matches = feasible(table.nearest(wished, len(table)), wish.spacing)[: wish.nearest]
    lines = [command(table, match, wish.spacing) for match in matches]
    if common.json:
        found = [asdict(match) | {"spacing": match.spacing, "command": line} for match, line in zip(matches, lines)]
        result = result_object("atlas", reporter, [], atlas=wish.atlas, textures=len(table.formed), wish=wished)
        print(dumps(result | {"matches": found}))
        return 0
    reporter.say(f"{len(table.formed)} textures in {wish.atlas}; lengths are in µm at the scale that fits each best")
    print("\n".join(rows(matches, wished, wish.spacing)))
    print(f"\n{lines[0]}")
    far = [text for name, value in wished.items() if (text := missed(name, matches[0].found[name], value))]
    if matches[0].coarse:
        reporter.warn(f"the box of the nearest holds {matches[0].across:.1f} of its walls and gaps: figures are rough")
    if far:
        reporter.warn(f"the nearest texture is not near: {'; '.join(far)}. A larger atlas, or another wish, may help.")
    return 0


def parse(text: str, flag: str = "") -> tuple[str, float]:
    """Name and value of a wish in powers of µm: `thickness=120um`, `kappa_1=30/mm`, `connectivity_density=4/mm3`.

    Errors name the flag it came from; --find without one.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    demand(bool(equals and value), flag or "--find", "NAME=VALUE, such as thickness=120um", text)
    power = Atlas.dimension(name)
    if power == 1:
        return name, length(value, flag or f"--find {name}")
    number, unit, exponent = _PER.fullmatch(value).groups()  # type: ignore[union-attr] - matches every text
    fine = unit is None or (unit in MICROMETRES and power == -int(exponent or 1))
    try:
        return name, float(number) / (MICROMETRES[unit] ** -power if unit and fine else 1.0 if fine else 0.0)
    except (ValueError, ZeroDivisionError):
        pass
    expected = "a plain number" if power == 0 else f"a number such as 30/mm{-power if power < -1 else ''}"
    raise InvalidParameter(flag or f"--find {name}", expected=expected, got=value)


def command(table: Atlas, match: Any, spacing: float | None) -> str:
    """The command that makes an entry at the wished scale."""
    row = table.row(int((table.columns["sample"] == match.number).argmax()))
    if spacing is None:
        return command_line(row, table.settings, **({"spacing": match.spacing} if match.spacing else {}))
    return command_line(row, table.settings, dx=match.dx_for(spacing), spacing=spacing)


def feasible(matches: tuple[Any, ...], spacing: float | None) -> tuple[Any, ...]:
    """The matches whose interface is wide enough for voxels of that size; refused when there is none."""
    if spacing is None:
        return matches
    fine = tuple(match for match in matches if match.largest_spacing >= spacing)
    most = max(match.largest_spacing for match in matches)
    demand(bool(fine), "--spacing", f"at most {most:.4g}, in µm, for this wish", spacing)
    return fine


def rows(matches: tuple[Any, ...], wished: Mapping[str, float], spacing: float | None = None) -> Iterator[str]:
    """A line for the wish and one for each entry, whose voxels are of the `spacing` asked for, if one was."""
    table = [("sample", "distance", *wished, "voxel/µm", "across", "mass", "a20 a11 a02 b10 b01 c")]
    table.append(("wish", "", *(f"{value:.4g}" for value in wished.values()), "", "", "", ""))
    for match in matches:
        found = (f"{match.found[name]:.4g}" for name in wished)
        step = spacing or match.spacing
        size = f"{step:.4g}" if step else "any"
        numbers = " ".join(f"{value:.4g}" for value in match.coefficients)
        rest = (size, f"{match.across:.1f}", f"{match.mass:.3f}", numbers)
        table.append((str(match.number), f"{match.distance:.3f}", *found, *rest))
    widths = [max(map(len, column)) for column in zip(*table)]
    for cells in table:
        line = "  ".join(cell.rjust(width) for cell, width in zip(cells[:-1], widths))
        yield f"{line}  {cells[-1]}".rstrip()


def missed(name: str, found: float, wish: float) -> str:
    """What to say of a figure that is far from its wish."""
    if abs(found - wish) <= FAR * max(abs(wish), 1e-12):
        return ""
    return f"{name} {found:.4g} in place of {wish:.4g}"
