"""Which device a computation runs on."""

from __future__ import annotations

import logging
import shutil

from microgen.errors import EnvironmentProblem, InvalidParameter

LOG = logging.getLogger(__name__)


def chosen(device: str, *, kernels: bool = True) -> str:
    """ "cpu" or "cuda" for `auto`, `cpu` or `cuda`; raises EnvironmentProblem where there is no GPU to be used.

    With `kernels` what runs there needs triton. Without, plain torch does, which the log says.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidParameter("device", expected="auto, cpu or cuda", got=device)
    if device == "cpu":
        return "cpu"
    lacking = _lacking(kernels=kernels)
    if lacking and device == "cuda":
        raise EnvironmentProblem(f"--device cuda: {lacking}. Use --device cpu (or auto).")
    if not lacking and not has_kernels():
        LOG.warning("no triton for this machine: diagrams are made in plain torch on the GPU, several times slower")
    return "cpu" if lacking else "cuda"


def has_kernels() -> bool:
    """Is triton there?"""
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    return True


def _lacking(*, kernels: bool) -> str:
    """What keeps a GPU from being used; empty when nothing does. Without a driver's tools torch is not even loaded."""
    if shutil.which("nvidia-smi") is None:
        return "no NVIDIA GPU is there"
    import torch

    if not torch.cuda.is_available():
        return "torch sees no GPU, or was built for the CPU alone"
    if kernels and not has_kernels():
        return "the kernels need triton, which comes with torch for CUDA"
    return ""
