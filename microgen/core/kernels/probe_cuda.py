"""The least kernel: does triton work on this GPU?"""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def _one(out):
    tl.store(out, 1)


def probe(device: str = "cuda") -> None:
    """Raises what keeps triton from compiling or running."""
    out = torch.zeros(1, dtype=torch.int32, device=device)
    _one[(1,)](out)
    if int(out) != 1:
        raise RuntimeError("a kernel did not write what it should")
