"""Ctrl-C and termination: a clean stop with 130, nothing half-written."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from microgen_cli._signals import stopping_signals, was_interrupted

START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and so their tests, ignore it
from microgen_cli.main import main
raise SystemExit(main())
"""
COMMAND = [sys.executable, "-c", START, "polycrystal"]
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
    try:
        out, err = run.communicate(timeout=30)
    finally:
        run.kill()
    assert run.returncode == 130, first + err
    assert out == ""
    assert "Traceback" not in err
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_comes_while_c_calls_python_is_not_lost() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with stopping_signals():
            ctypes.CFUNCTYPE(None)(interrupted)()
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_signal_that_comes_while_llvm_asks_for_code_waits() -> None:
    """An exception there would have LLVM run code that it was not given."""
    after: list[str] = []

    def _raw_object_cache_getbuffer() -> None:  # a function of that name calls Python back
        signal.raise_signal(signal.SIGTERM)
        after.append("answered")

    def work() -> None:
        with stopping_signals():
            _raw_object_cache_getbuffer()
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert after == ["answered"]


def test_a_signal_that_comes_while_compiled_code_unpacks_its_arguments_is_one() -> None:
    """As a generator of random numbers is, through Python; the exception is noticed when the function has returned."""
    error = SystemError("returned a result with an exception set")
    error.__cause__ = KeyboardInterrupt()
    assert was_interrupted(error)
    assert not was_interrupted(SystemError("another"))


WORKER = """
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from microgen.generators.ensemble import limit_threads
pool = ProcessPoolExecutor(1, get_context("spawn"), limit_threads, (1,))
print(pool.submit(os.getpid).result(), flush=True)
input()
"""


def alive(pid: int) -> bool:
    """Does a process run? One that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_workers_end_with_a_command_that_is_killed() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", WORKER], stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        assert alive(worker)
        run.kill()
    deadline = time.monotonic() + 20
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(worker)
