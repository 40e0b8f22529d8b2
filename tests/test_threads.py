"""Work shared by threads."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import numba
import pytest

from microgen.threads import in_threads


def shares(n: int) -> list[tuple[int, int, str]]:
    before, seen = numba.get_num_threads(), []
    numba.set_num_threads(n)
    try:
        in_threads(lambda k, n, word: seen.append((k, n, word)), "a")
    finally:
        numba.set_num_threads(before)
    return sorted(seen)


def test_every_share_is_done_once() -> None:
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    for n in {1, most}:
        assert shares(n) == [(k, n, "a") for k in range(n)]


def test_the_error_of_a_share_comes_out() -> None:
    most, done = numba.config.NUMBA_NUM_THREADS, []  # type: ignore[attr-defined]

    def fails(k: int, n: int, at: int) -> None:
        time.sleep(0.05 * k)
        done.append(k)
        if k == at:
            raise ZeroDivisionError(k)

    before = numba.get_num_threads()
    numba.set_num_threads(most)
    try:
        for at in {0, most - 1}:
            done.clear()
            with pytest.raises(ZeroDivisionError):
                in_threads(fails, at)
            assert sorted(done) == list(range(most))  # nobody is still at work when the error comes out
    finally:
        numba.set_num_threads(before)


def test_the_calling_thread_does_the_first_share() -> None:
    where = {}
    in_threads(lambda k, n: where.setdefault(k, threading.current_thread()))
    assert where[0] is threading.current_thread()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    assert len(shares(most)) == most  # the pool exists, and its threads do not come along
    with multiprocessing.get_context("fork").Pool(1) as child:
        assert len(child.apply_async(shares, (most,)).get(60)) == most
