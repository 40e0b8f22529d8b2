"""What all commands share: the common flags, units in numbers, `--config`, and which flags were given."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token
from cyclopts.config import Dict
from microgen_cli._units import angle, length

from microgen.errors import EnvironmentProblem, UnreadableFile

UNITS: dict[str, Callable[[str, str], float]] = {
    "--spacing": length,
    "--size.mean": length,
    "--size.quantiles": length,
    "--threshold": angle,
    "--texture.kernel": lambda text, name: angle(text, name) * 3.141592653589793 / 180,
}
"""Flags that take a unit. Parameters of the library are in µm and radians; `--threshold` stays in degrees."""

GIVEN = "--given"
"""Hidden argument that carries the names of the flags the user wrote (they win over what a scan says)."""


@Parameter(name="*")
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
    given: Annotated[tuple[str, ...], Parameter(name=GIVEN, show=False)] = ()


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
    """Turn `0.5um` and `5deg` into plain numbers, and note which flags were given."""
    given = []
    for argument in arguments:
        if not argument.tokens or argument.name == GIVEN:
            continue
        given.append(argument.name.removeprefix("--"))
        if argument.name in UNITS:
            convert = UNITS[argument.name]
            argument.tokens[:] = [t.evolve(value=repr(convert(t.value, argument.name))) for t in argument.tokens]
    for argument in arguments:
        if argument.name == GIVEN:
            argument.tokens[:] = [Token(keyword=GIVEN, value=name, source="given") for name in given]


def resolve_device(device: str) -> str:
    """The device that will be used; `auto` is the CPU as long as there are no kernels for others."""
    if device == "cuda":
        raise EnvironmentProblem(
            "--device cuda: this version has no CUDA kernels, with or without a GPU in the machine. "
            "Use --device cpu (or auto)."
        )
    return "cpu"
