"""Entry point: picks the command, turns every error into one readable block and an exit code."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from ._signals import stopping_signals, was_interrupted

COMMANDS = {
    "polycrystal": "Make a 3-D polycrystal: statistically equal to an EBSD scan, or from chosen laws.",
    "curvatubes": "Make a foam, bone, sponge or membrane: a level set whose surface has chosen curvatures.",
    "reconstruct": "Fit a compact diagram to a scan itself, point by point: show, extrude or export it anywhere.",
    "interpolate": "Lay a way between two polycrystals: a valid one at every step, and a film strip.",
    "design": "Find a texture with wished numbers: porosity, thickness, connectivity ...",
    "describe": "Measure a volume: porosity, surface, thickness, connectivity, curvatures, or its grains.",
    "compare": "Say whether two files show one material: every statistic they share, against their own noise.",
    "atlas": "Draw random textures and chart them, or look up the one nearest to a wish.",
    "mesh": "Make closed surfaces of a volume for printers, or tetrahedra of its grains or phases for solvers.",
    "check": "Say whether a mesh made by anyone is closed, how thick its walls are, and if it prints.",
    "convert": "Write a file again in other formats: NRRD, NIfTI, TIFF, NumPy, ParaView ...",
    "view": "Look at a file: a window, pictures, or a page to turn it in a browser.",
    "info": "Say what was understood of a file.",
    "rerun": "Make a result again, bit for bit, from its provenance.",
    "doctor": "Check the installation and the machine.",
}

HELP = """From an EBSD scan to statistically equal 3-D polycrystals.

Start with: microgen polycrystal --ebsd scan.ang
"""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
EXIT_CODES = (
    "Exit codes: 0 ok, 1 internal error, 2 wrong parameter or flag, 3 something is missing on this machine or an "
    "output cannot be written, 4 unreadable or unsupported input, 5 target not met (best result kept), 130 interrupted."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    problem = foreign_package()
    if problem:
        return _complain(problem, 3)
    from microgen.errors import MicrogenError

    try:
        with stopping_signals():
            return _dispatch(tokens)
    except KeyboardInterrupt:
        return _stopped()
    except CycloptsError as error:
        return _complain(f"{error}\nremedy   microgen {_command(tokens)}--help lists the flags", 2)
    except MicrogenError as error:
        return _fail(error, describe(error), error.exit_code)
    except MemoryError as error:
        return _fail(error, "not enough memory\nremedy   fewer voxels (--shape) or grains; --dry-run shows the need", 3)
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in FULL or not _output_is_full():
            return _unexpected(error)
        _drop_output()
        return _fail(error, f"standard output cannot be written: {error.strerror}\nremedy   finished files are kept", 3)
    except Exception as error:  # noqa: BLE001 - last resort: no traceback for the user, the cause on request
        return _stopped() if was_interrupted(error) else _unexpected(error)


def build_app(config: tuple[Any, ...] = ()) -> App:
    """The command-line parser; commands are imported only when they are called."""
    from ._flags import normalise

    app = App(
        name="microgen",
        help=HELP,
        help_epilogue=EXIT_CODES,
        help_format="plaintext",
        version=_version,
        config=(*config, normalise),
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )
    for name, text in COMMANDS.items():
        app.command(f"microgen_cli.{name}:{name}", name=name, help=text)
    return app


def describe(error: Exception) -> str:
    """One readable block: what, expected, came, remedy."""
    from microgen.errors import InvalidParameter, UnreadableFile

    if isinstance(error, InvalidParameter):
        text = f"{error.name} cannot be used\nexpected {error.expected}\ngot      {error.got}"
    elif isinstance(error, UnreadableFile):
        place = f", line {error.line}" if error.line is not None else ""
        text = f"{error.path}{place} cannot be read\nproblem  {error.problem}"
    else:
        return str(error)
    return text + (f"\nremedy   {error.remedy}" if error.remedy else "")


def foreign_package() -> str:
    """Empty when `microgen` is ours; else what is wrong. Another package of that import name exists on PyPI."""
    spec = importlib.util.find_spec("microgen")
    home = Path(spec.origin).parent if spec is not None and spec.origin else None
    if home is not None and (home / "provenance.py").is_file() and "microgen-gpu" in (home / "__init__.py").read_text():
        return ""
    found = f"the package in {home}" if home else "nothing"
    return (
        f"`import microgen` finds {found}, which is not the microgen of this command\n"
        "expected the package installed by the distribution microgen-gpu\n"
        "remedy   pip uninstall microgen microgen-gpu && pip install microgen-gpu, best in an environment of its own"
    )


def _dispatch(tokens: list[str]) -> int:
    from ._flags import config_source

    app = build_app(config_source(tokens))
    code = app(
        tokens or ["--help"], print_error=False, exit_on_error=False, verbose=False, result_action="return_value"
    )
    return code if isinstance(code, int) else 0


def _stopped() -> int:
    """Say so; members of an ensemble that are still being made are of no use to anyone."""
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.terminate()
    return _complain("interrupted; finished files are kept, no file is half-written", 130, head="stopped")


def _prepare_streams() -> None:
    """What a stream cannot encode (µ in ASCII) is written as an escape; what goes to a closed one is dropped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif hasattr(stream, "reconfigure"):
            with suppress(OSError, ValueError):  # closed
                stream.reconfigure(errors="backslashreplace")


def _output_is_full() -> bool:
    """Whether it is the standard output that takes no more."""
    try:
        print(flush=True)
    except (OSError, ValueError):
        return True
    return False


def _drop_output() -> None:
    """What is left in the buffer of a standard output that takes no more, so that Python's end does not fail on it."""
    with suppress(OSError, ValueError):  # not every stream has a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: BaseException) -> int:
    text = f"internal error: {type(error).__name__}: {error}\nremedy   please report it, with MICROGEN_DEBUG=1 set"
    return _fail(error, text, 1)


def _fail(error: BaseException, text: str, code: int) -> int:
    if os.environ.get("MICROGEN_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    return _complain(text, code)


def _complain(text: str, code: int, *, head: str = "error") -> int:
    with suppress(OSError, ValueError):  # full or closed: the exit code remains
        print(f"{head}: " + text.replace("\n", "\n  "), file=sys.stderr, flush=True)
    return code


def _command(tokens: list[str]) -> str:
    return f"{tokens[0]} " if tokens and tokens[0] in COMMANDS else ""


def _version() -> str:
    from microgen.provenance import tool_version

    return f"microgen {tool_version()}"


if __name__ == "__main__":
    sys.exit(main())
