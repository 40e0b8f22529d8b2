"""`microgen polycrystal --numbers steel.toml`: laws whose sections show published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import microgen
from microgen import Microstructure, Polycrystal
from microgen.errors import InvalidParameter, TargetNotMet

from . import _wishes
from ._job import Job
from ._request import Request

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target

EXAMPLE = "equivalent_diameter = {mean = 12, cv = 0.6}"
COLUMNS = ("in sections", "published", "made", "tolerance", "met")


def target(request: Request) -> Target:
    """The numbers of the file. Raises UnreadableFile and InvalidParameter."""
    assert request.numbers is not None
    return microgen.Target.from_section_numbers(_wishes.from_file(request.numbers, EXAMPLE))


def diameter(request: Request) -> float:
    """About the mean diameter of sections, µm."""
    return target(request).diameter  # type: ignore[attr-defined]


def fitted(job: Job) -> Polycrystal:
    """Laws that show the numbers."""
    request = job.request
    if request.ndim != 3:
        raise InvalidParameter("--shape", expected="3 numbers with --numbers", got=request.shape)
    with job.reporter.stage("fitting the laws", "fit") as progress:
        found = microgen.fit(job.flags, target(request), seed=job.common.seed, progress=progress)
    return found.generator


def compare(sample: Microstructure, job: Job) -> dict[str, Any]:
    """The numbers in sections of the sample itself, at other places than the fit saw."""
    return microgen.compare(sample, target(job.request), seed=job.common.seed + 1)


def verdict(statistics: Mapping[str, Any]) -> TargetNotMet | None:
    """What could not be met."""
    missed = _wishes.missed(statistics)
    if not missed:
        return None
    return TargetNotMet(
        f"could not be met: {', '.join(missed)}. The sample was kept. Sections of space-filling grains spread in "
        "size and shape by themselves, whatever the laws, and few grains by chance; make more (--grains), allow "
        "more (tolerance), or give other numbers."
    )


def together(rows: Sequence[Mapping[str, Any]], job: Job) -> TargetNotMet | None:
    """The means over the members of an ensemble, which miss by chance less than each does; what they miss."""
    wanted = target(job.request)
    each = [row["statistics"] for row in rows if set(wanted.statistics) <= set(row["statistics"])]
    if not each:  # members of a version that did not compare them
        return None
    means = {name: sum(one[name]["achieved"] for one in each) / len(each) for name in wanted.statistics}
    found = wanted.against(means)  # type: ignore[attr-defined]
    job.reporter.say(f"means of {len(each)} members")
    _wishes.tell(found, job.reporter, COLUMNS)
    return verdict(found)
