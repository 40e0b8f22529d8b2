"""`microgen check FILE`: is a mesh that anyone made closed, how thick are its walls, and would it print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from microgen.errors import InvalidParameter, NotPrintable
from microgen.io.inspecting import Inspected, inspect_file, inspection_lines, inspection_object
from microgen.provenance import tool_version

from ._json import dumps
from ._progress import Reporter

Printers = Literal["fdm", "sla", "sls", "dmls"]
TOLD = 5
"""Reasons in the error."""
_CUT = " If it was cut out of a larger part, --cut leaves the slivers at the sides of its box out."


def check(
    file: Path,
    *,
    unit: str | None = None,
    printer: Printers | None = None,
    cut: bool = False,
    density: float | None = None,
    resolution: Annotated[float | None, Parameter(name="--resolution-mm")] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Check a mesh before it is printed: is it closed, and are its walls thick enough. Nothing is repaired.

    Parameters
    ----------
    file
        STL (binary, ASCII), 3MF, PLY, OBJ or GLB, made by anyone. Several objects in it are checked one by one.
    unit
        Unit of its numbers: mm, um, m or inch; default: as the file says, else mm.
    printer
        fdm, sla, sls or dmls: also refuse walls that are too thin for it, and cavities it cannot empty.
    cut
        With --printer: the part was cut out of a larger one at the sides of its box, so slivers there are no walls.
    density
        Of the material, g/cm³: tells the mass.
    resolution
        Edge of the voxels that walls are measured with; default: a million of them in the box, shared by
        the objects of a file.
    json
        Print one JSON object.
    quiet
        No progress; warnings and errors only.
    """
    if density is not None and not 0 < density < float("inf"):
        raise InvalidParameter("--density", expected="a number of g/cm³ above 0", got=density)
    if cut and printer is None:
        raise InvalidParameter("--cut", expected="--printer beside it", got="none")
    reporter = Reporter(quiet=quiet)
    with reporter.stage("checking", "check") as progress:
        found = _inspect(file, unit, resolution, progress)
    reasons = found.against(printer, cut=cut)
    if json:
        print(dumps(_object(file, found, reasons, printer, density)))
    else:
        print("\n".join(inspection_lines(found, density=density)))
    if reasons:
        more = f"; and {len(reasons) - TOLD} more (--json has all)" if len(reasons) > TOLD else ""
        told = "; ".join(reasons[:TOLD]) + more
        hint = "" if cut or found.against(printer, cut=True) else _CUT
        raise NotPrintable(f"{file} would not print{f' on {printer}' if printer else ''}: {told}.{hint}")
    reporter.say(f"prints on {printer}" if printer else "closed: it can be printed (--printer tells on what)")
    return 0


def _inspect(file: Path, unit: str | None, resolution: float | None, progress: Any) -> Inspected:
    try:
        return inspect_file(file, unit=unit, resolution=resolution, progress=progress)
    except InvalidParameter as error:
        flag = {"unit": "--unit", "resolution": "--resolution-mm"}.get(error.name, error.name)
        raise InvalidParameter(flag, expected=error.expected, got=error.got, remedy=error.remedy) from None


def _object(
    file: Path, found: Inspected, reasons: list[str], printer: str | None, density: float | None
) -> dict[str, Any]:
    told = {"command": "check", "version": tool_version(), "file": str(file), "printer": printer}
    return told | inspection_object(found, density=density) | {"prints": not reasons, "reasons": reasons}
