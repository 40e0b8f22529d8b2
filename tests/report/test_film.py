"""The film strip: a picture a step, the same colours all along."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_up import make_sample
from PIL import Image

from microgen import Grid
from microgen.report import draw_film


@pytest.mark.parametrize("shape", [(16, 12), (12, 12, 8)])
def test_one_picture_a_step(shape: tuple[int, ...]) -> None:
    ms = make_sample(Grid(shape, (1.0,) * len(shape)))
    pages = [
        Image.open(io.BytesIO(draw_film([ms] * k, [f"t = {k}"] * k, numbers=[np.arange(1, 13)] * k, title="way")))
        for k in (2, 3)
    ]
    assert pages[1].width - pages[0].width == 266
    left, middle = (np.asarray(pages[1].convert("RGB"))[62:-30, x : x + 250] for x in (16, 282))
    assert np.array_equal(left, middle)
    assert len(np.unique(left.reshape(-1, 3), axis=0)) > 8
