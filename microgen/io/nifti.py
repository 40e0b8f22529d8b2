"""NIfTI (.nii, .nii.gz): grey values with their spacing. Files are x fastest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.grey import DAMAGE, all_positive, grey_volume
from microgen.microstructure import Microstructure

NAME = "nifti"
SUFFIXES = (".nii.gz", ".nii")

_UNITS = {"meter": 1e6, "mm": 1e3, "micron": 1.0}


def read(path: str | Path) -> Microstructure:
    """Read grey values, scaled as the header says. Without a unit millimetres are taken, as usual, and noted.

    Raises UnreadableFile for damaged files, UnsupportedFormat for colours and series.
    """
    from nibabel.filebasedimages import ImageFileError
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import HeaderDataError

    path = Path(path)
    try:
        image = Nifti1Image.from_filename(path)
        values = np.asanyarray(image.dataobj)
        unit = str(image.header.get_xyzt_units()[0])
        sizes = tuple(float(h) for h in image.header.get_zooms())
    except (*DAMAGE, ImageFileError, HeaderDataError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole NIfTI ({reason})", remedy="Write or copy it again.") from error
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    notes = () if unit in _UNITS else ("the file states no unit: mm taken",)
    spacing = tuple(h * _UNITS.get(unit, 1e3) for h in sizes[: values.ndim])
    return grey_volume(values, path, spacing=spacing if all_positive(spacing) else None, notes=notes)
