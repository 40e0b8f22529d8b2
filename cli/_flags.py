"""What all commands share: the common flags, units in numbers, `--config`, and which flags were given."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import radians
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter, Token
from cyclopts.config import Dict

from microgen.errors import EnvironmentProblem, InvalidParameter, UnreadableFile

from ._units import angle, length, millimetres

UNITS: dict[str, Callable[[str, str], float]] = {
    "--spacing": length,
    "--depth": length,
    "--size-mm": millimetres,
    "--print.diameter": millimetres,
    "--print.tolerance-mm": millimetres,
    "--print.shell-mm": millimetres,
    "--print.base-mm": millimetres,
    "--diameter": millimetres,
    "--tolerance-mm": millimetres,
    "--shell-mm": millimetres,
    "--base-mm": millimetres,
    "--resolution-mm": millimetres,
    "--mask-diameter": millimetres,
    "--size.mean": length,
    "--thickness": length,
    "--size.quantiles": length,
    "--threshold": angle,
    "--texture.kernel": lambda text, name: radians(angle(text, name)),
}
"""Flags that take a unit. Parameters of the library are in µm and radians; `--threshold` stays in degrees."""

GIVEN = "--given"
"""Hidden argument: JSON of the flags the user wrote. They win over what a scan says, and `rerun` needs them."""

HIDDEN = ("--texture.orientations", "--texture.weights", "--texture.misorientation")
"""Fields of the parameter classes that hold measured data, which no one types."""

READABLE: dict[str, dict[str, Any]] = {
    "--texture.kernel": {
        "help": "Half width of the kernel around each measured orientation, degrees.",
        "show_default": "5",
    },
    "--phases": {
        "help": """Phases and their shares: '{"name": "ferrite", "fraction": 0.6}', once for each.""",
        "show_default": "one cubic phase",
    },
    "--size.quantiles": {"show_default": False},
    "--out": {"show_default": False},
    "--samples": {"show_default": False},
    "--member": {"show_default": False},
    "--cluster": {"show_default": False},
}
"""How flags read in the help where the parameter class speaks of radians or objects."""


@Parameter(name="*", group=Group("Outputs and behaviour", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class Common:
    """Flags of every command that makes something."""

    out: tuple[Path, ...] = ()
    """Output file; the suffix picks the format. May be given several times."""
    format: str | None = None
    """Settles a suffix with two meanings: ome or imagej for .tif, paraview or damask for .vti."""
    seed: int = 0
    """Seed of the random generator."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    config: Path | None = None
    """TOML file with flags: `grains = 500`, or `cv = 0.3` below `[size]`. The command line wins over it."""
    json: bool = False
    """Print one JSON object instead of the paths of the results."""
    dry_run: bool = False
    """Print the resolved run and its memory need, and stop."""
    overwrite: bool = False
    """Replace outputs that exist."""
    resume: bool = False
    """Keep outputs of the same run that are complete, and make only what is missing."""
    quiet: bool = False
    """No progress, no tables; warnings and errors only."""
    given: Annotated[str, Parameter(name=GIVEN, show=False)] = "{}"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Talk:
    """Flags of every command that reads and writes but generates nothing: how it answers, what it may replace."""

    json: bool = False
    """Print one JSON object instead of the paths of the results."""
    overwrite: bool = False
    """Replace outputs that exist."""
    quiet: bool = False
    """No progress; warnings and errors only."""


class FlagApp(App):
    """A command whose nested parameter classes become flags: `Polycrystal.size.cv` is `--size.cv`."""

    def assemble_argument_collection(self, **options: Any) -> Any:
        """The arguments of the command, with lists that take several values and readable defaults."""
        arguments = super().assemble_argument_collection(**options)
        arguments[:] = [a for a in arguments if a.name not in HIDDEN]
        for argument in arguments:
            extra = dict(READABLE.get(argument.name, {}))
            if isinstance(extra.get("show_default"), str):
                extra["show_default"] = _constant(extra["show_default"])
            if str(argument.hint).startswith("tuple[") and argument.name not in ("--out", "--phases", "--ebsd"):
                extra["consume_multiple"] = True
            argument.parameter = Parameter.combine(argument.parameter, Parameter(**extra))
        return arguments


def _constant(text: str) -> Callable[[Any], str]:
    return lambda value: text


def config_source(tokens: Sequence[str]) -> tuple[Dict, ...]:
    """The file named by `--config`, as a source of flags."""
    for k, token in enumerate(tokens):
        if token == "--":
            break
        if token.startswith("--config="):
            return (_load(Path(token.partition("=")[2])),)
        if token == "--config" and k + 1 < len(tokens):
            return (_load(Path(tokens[k + 1])),)
    return ()


def _load(path: Path) -> Dict:
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy="--config takes a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"not TOML: {error}", remedy="Example: grains = 500") from None
    return Dict(data, source=str(path), use_commands_as_keys=False)


def normalise(app: Any, commands: tuple[str, ...], arguments: Any) -> None:
    """Turn `0.5um` and `5deg` into plain numbers, and note which flags were given, as they were written."""
    given: dict[str, Any] = {}
    for argument in arguments:
        if not argument.tokens or argument.name == GIVEN:
            continue
        values = [token.value for token in argument.tokens]
        if argument.hint in (int, int | None) or str(argument.hint).startswith("tuple[int"):
            _check_whole(argument.name, values)
        if argument.name == "--samples" and int(values[0]) == 0:  # the default, which stands for a single sample
            raise InvalidParameter("--samples", expected="1 or more", got=0)
        given[argument.name.removeprefix("--")] = values[0] if len(values) == 1 else values
        if argument.name in UNITS and argument.hint is not str:  # --threshold of grey values has no unit
            convert = UNITS[argument.name]
            argument.tokens[:] = [t.evolve(value=repr(convert(t.value, argument.name))) for t in argument.tokens]
    for argument in arguments:
        if argument.name == GIVEN:
            argument.tokens[:] = [Token(keyword=GIVEN, value=json.dumps(given), source="given")]


def _check_whole(name: str, values: list[str]) -> None:
    """The parser would round 1.5 to 2 without a word."""
    for value in values:
        if not re.fullmatch(r"[+-]?\d+", value):
            raise InvalidParameter(name, expected="a whole number", got=value)


def given_flags(common: Common) -> dict[str, Any]:
    """The flags that say what to make, as written; not where to put it or how to talk about it."""
    talk = {field.name.replace("_", "-") for field in fields(common)} | {"report", "stl-grains", "samples", "preview"}
    talk |= {"stream", "cluster"}
    return {name: value for name, value in json.loads(common.given).items() if name not in talk}


def resolve_device(device: str, *, what: str) -> str:
    """The device of what only the CPU can make, as atlases."""
    if device == "cuda":
        raise EnvironmentProblem(
            f"--device cuda: {what} have no CUDA kernels in this version, with or without a GPU in the machine. "
            "Use --device cpu (or auto)."
        )
    return "cpu"
