"""Ctrl-C and termination: a clean stop with 130, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from microgen_cli.main import main; raise SystemExit(main())", "polycrystal"]
LONG = ["--grains", "4000", "--shape", "160", "160", "160", "--out", "rve.tif"]


def start(folder: Path, *flags: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *LONG, *flags], cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "flags"),
    [(signal.SIGINT, []), (signal.SIGINT, ["--samples", "3"]), (signal.SIGTERM, [])],
    ids=["Ctrl-C", "Ctrl-C in an ensemble", "termination"],
)
def test_a_signal_in_the_middle_stops_cleanly(number: signal.Signals, flags: list[str], tmp_path: Path) -> None:
    run = start(tmp_path, *flags)
    assert run.stderr is not None
    first = run.stderr.readline()  # the sample is announced, its making begins
    time.sleep(0.5)
    os.killpg(run.pid, number) if number == signal.SIGINT else run.send_signal(number)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130, first + err
    assert out == ""
    assert "Traceback" not in err
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []
