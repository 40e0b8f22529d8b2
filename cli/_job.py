"""A run after its flags: what it is, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from microgen import Polycrystal
from microgen.provenance import tool_version

from ._flags import Common
from ._outputs import Outputs
from ._progress import Reporter
from ._request import Request

ELSEWHERE = ("ebsd", "sites", "samples", "member", "trials")
"""Flags that do not change a sample: its inputs are known by their hashes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """What runs of all generators have."""

    common: Common
    given: dict[str, Any]
    """The flags that say what to make, as they were written."""
    outputs: Outputs
    reporter: Reporter
    device: str
    inputs: dict[str, str] = field(default_factory=dict)
    """Path -> sha256 of the files read."""
    samples: int = 0
    """Members of the ensemble; 0 for a single sample."""
    member: int = 0
    """The only one to make; 0 for all."""
    preview: bool = False
    """Show the result when it is done."""

    def identity(self, member: int = 0) -> dict[str, Any]:
        """What makes two runs the same, so that --resume may take the outputs of one for the other's."""
        return {
            "flags": {name: value for name, value in self.given.items() if name not in ELSEWHERE},
            "seed": self.common.seed,
            "member": member,
            "inputs": sorted(self.inputs.values()),
            "version": tool_version(),
        }

    @property
    def replaces(self) -> bool:
        """Outputs that exist may be replaced; with --resume they were found to be of this very run."""
        return self.common.overwrite or self.common.resume


@dataclass(frozen=True, eq=False, kw_only=True)
class Job(Run):
    """One run of `microgen polycrystal`."""

    request: Request
    flags: Polycrystal
    planes: tuple[str, ...] = ()
    """Plane and hash of each scan, where there is more than a map of xy."""

    def identity(self, member: int = 0) -> dict[str, Any]:
        """Also which scan shows which plane."""
        return super().identity(member) | ({"planes": list(self.planes)} if self.planes else {})
