"""`microgen doctor`: is this installation complete, and what will a run find on this machine?"""

from __future__ import annotations

import json as json_text
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from microgen.errors import EnvironmentProblem
from microgen.provenance import tool_version

from ._machine import available_memory, cores, kernel_cache
from ._units import bytes_text

LIBRARIES = (
    *("numpy", "scipy", "numba", "torch", "h5py", "tifffile", "nibabel", "pynrrd", "pillow"),
    *("pyvista", "matplotlib", "manifold3d", "cyclopts"),
)


def doctor(*, json: bool = False) -> int:
    """Check the installation and the machine.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    facts = _facts()
    if json:
        print(json_text.dumps({"command": "doctor", **facts}, indent=2))
    else:
        for name, value in facts.items():
            if name != "problems":
                print(f"{name:18} {_plain(value)}")
        print("\n".join(["", *(f"problem: {p}" for p in facts["problems"])]) if facts["problems"] else "\nall is well")
    if facts["problems"]:
        raise EnvironmentProblem(f"doctor found {len(facts['problems'])} problem(s): " + "; ".join(facts["problems"]))
    return 0


def _facts() -> dict[str, Any]:
    problems: list[str] = []
    folder, compiled = kernel_cache()
    memory = available_memory()
    return {
        "microgen": tool_version(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "package": _package(problems),
        "libraries": _libraries(problems),
        "devices": _devices(),
        "threads": {"cores": cores(), "numba": _numba_threads()},
        "memory_free": bytes_text(memory) if memory else "unknown",
        "kernel_cache": f"{compiled} compiled kernels in {folder}" if compiled else "empty: the first run compiles",
        "off_screen": _off_screen(problems),
        "problems": problems,
    }


def _package(problems: list[str]) -> str:
    """Our own files are checked before every command; another distribution may still own the name."""
    from importlib.util import find_spec

    spec = find_spec("microgen")
    where = str(Path(spec.origin).parent) if spec and spec.origin else "nowhere"
    try:
        other = metadata.version("microgen")
    except metadata.PackageNotFoundError:
        return f"microgen-gpu, in {where}"
    problems.append(
        f"the distribution microgen {other} is installed too and shares our import name: "
        "pip uninstall microgen microgen-gpu, then pip install microgen-gpu"
    )
    return f"microgen-gpu and microgen {other}, in {where}"


def _libraries(problems: list[str]) -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
            problems.append(f"{name} is not installed: pip install --force-reinstall microgen-gpu")
    return found


def _devices() -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch cannot be loaded: {error}"
    if not torch.cuda.is_available():
        return "cpu"
    return f"cpu, {torch.cuda.get_device_name(0)} (textures and polycrystals)"


def _numba_threads() -> int | str:
    try:
        import numba
    except (ImportError, OSError) as error:
        return f"numba cannot be loaded: {error}"
    return numba.get_num_threads()


def _off_screen(problems: list[str]) -> str:
    """Pictures for the report are drawn without a display; where that fails, VTK kills the process, so ask a child."""
    import subprocess

    code = "import pyvista; p = pyvista.Plotter(off_screen=True); p.add_mesh(pyvista.Cube()); p.screenshot()"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        problems.append("drawing off screen takes more than 2 minutes; reports will come without 3-D pictures")
        return "too slow"
    if done.returncode:
        problems.append("pyvista cannot draw off screen; reports will come without 3-D pictures")
        return "fails"
    return "works"


def _plain(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
