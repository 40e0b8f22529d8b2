from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from microgen.report.png import data_uri, encode_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 4), (2, 300, 3)])
def test_another_program_reads_the_same_pixels(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))
    assert np.array_equal(read, pixels)


def test_flat_rows_cost_next_to_nothing() -> None:
    row = np.random.default_rng(0).integers(0, 256, (1, 500, 3), dtype=np.uint8)
    assert len(encode_png(np.repeat(row, 400, axis=0))) < 0.01 * 400 * 500 * 3


def test_data_address_holds_the_file() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    head, text = data_uri(pixels).split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(text) == encode_png(pixels)
