"""Which device a computation runs on."""

from __future__ import annotations

import shutil

from microgen.errors import EnvironmentProblem, InvalidParameter


def chosen(device: str) -> str:
    """ "cpu" or "cuda" for `auto`, `cpu` or `cuda`; raises EnvironmentProblem where there is no GPU to be used."""
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidParameter("device", expected="auto, cpu or cuda", got=device)
    if device == "cpu":
        return "cpu"
    lacking = _lacking()
    if lacking and device == "cuda":
        raise EnvironmentProblem(f"--device cuda: {lacking}. Use --device cpu (or auto).")
    return "cpu" if lacking else "cuda"


def _lacking() -> str:
    """What keeps a GPU from being used; empty when nothing does. Without a driver's tools torch is not even loaded."""
    if shutil.which("nvidia-smi") is None:
        return "no NVIDIA GPU is there"
    import torch

    if not torch.cuda.is_available():
        return "torch sees no GPU, or was built for the CPU alone"
    try:
        import triton  # noqa: F401
    except ImportError:
        return "the kernels need triton, which comes with torch for CUDA"
    return ""
