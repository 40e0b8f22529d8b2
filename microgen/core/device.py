"""Which device a computation runs on."""

from __future__ import annotations

import logging
import shutil
from functools import cache
from pathlib import Path

from microgen.errors import EnvironmentProblem, InvalidParameter

LOG = logging.getLogger(__name__)
DRIVERS = "/dev/nvidiactl", "/dev/dxg"  # of Linux, and of Linux in Windows


def chosen(device: str, *, kernels: bool = True) -> str:
    """ "cpu" or "cuda" for `auto`, `cpu` or `cuda`; raises EnvironmentProblem where there is no GPU to be used.

    With `kernels` what runs there needs triton. Without, plain torch does when "cuda" is asked for, which the log says;
    "auto" then takes the CPU, as nobody knows which of the two is faster.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidParameter("device", expected="auto, cpu or cuda", got=device)
    if device == "cpu":
        return "cpu"
    lacking = _lacking(kernels=kernels)
    if lacking and device == "cuda":
        raise EnvironmentProblem(f"--device cuda: {lacking}. Use --device cpu (or auto).")
    if device == "cuda" and not has_kernels():
        LOG.warning("no triton for this machine: diagrams are made in plain torch on the GPU, which takes longer")
    return "cpu" if lacking or not has_kernels() and device == "auto" else "cuda"


@cache
def has_kernels() -> bool:
    """Does triton work here? It compiles a few lines of its own when it starts on a GPU, so that has to be tried."""
    import torch

    try:
        import triton  # noqa: F401

        if torch.cuda.is_available():
            from microgen.core.kernels.probe_cuda import probe

            probe()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from running
        LOG.info("triton cannot be used: %s", error)
        return False
    return True


def _lacking(*, kernels: bool) -> str:
    """What keeps a GPU from being used; empty when nothing does. Without a driver torch is not even loaded."""
    if shutil.which("nvidia-smi") is None and not any(Path(name).exists() for name in DRIVERS):
        return "no NVIDIA GPU is there"
    import torch

    if not torch.cuda.is_available():
        return "torch sees no GPU, or was built for the CPU alone"
    if broken := _broken():
        return broken
    if kernels and not has_kernels():
        return "the kernels need triton, which comes with torch for CUDA"
    return ""


@cache
def _broken() -> str:
    """Why torch cannot compute on the GPU it sees: it may be too old, or too new, for this build."""
    import torch

    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except (RuntimeError, AssertionError) as error:  # the latter of a build without CUDA
        return f"torch cannot use the GPU ({str(error).splitlines()[0]})"
    return ""
