"""Compiling kernels for a GPU that is not there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def require_compiles(script: str) -> None:
    """Run a script that compiles kernels, in a process of its own: this one may interpret them. Skips beyond Linux."""
    if sys.platform != "linux":
        pytest.skip("triton compiles for GPUs on Linux only")
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
