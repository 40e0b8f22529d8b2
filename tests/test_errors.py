"""Errors survive the way from a worker process."""

from __future__ import annotations

import pickle

import pytest

from microgen.errors import InvalidParameter, MicrogenError, NotConverged, UnreadableFile

ERRORS = (
    InvalidParameter("eps", expected="a length", got=-1, remedy="Use a positive one."),
    UnreadableFile("a.ang", "is empty", line=3, remedy="Copy it again."),
    NotConverged("off by 3 %", best={"sample": 1}),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_errors_can_be_sent_between_processes(error: MicrogenError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
