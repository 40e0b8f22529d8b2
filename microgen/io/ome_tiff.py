"""OME-TIFF of grain labels, else of grey values, else of phases: axes ZYX (YX), physical size in µm, zlib.

Pages are z, rows y, columns x; memory is [x, y, z]. The OME-XML, which holds the provenance, is our own, so that
the same sample gives the same bytes (tifffile's holds a random UUID); fields after the OME schema 2016-06.
"""

from __future__ import annotations

import logging
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb, one_array, planes
from microgen.io.grey import NO_SIZE
from microgen.io.planes import Progress, pour, slabs
from microgen.microstructure import Microstructure, TiledMicrostructure
from microgen.provenance import tool_version

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffWriter

NAME = "ome"
SUFFIXES = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return one_array.GRID | {"phases", _PHASES, _labels(ms)[0]}


_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_GRAINS, _PHASES = "grain_id", "phase_id"
PIXELS = {name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32")}
PIXELS |= {"float32": "float", "float64": "double"}
"""numpy's name of a type -> OME's."""
_PROVENANCE, _SAMPLE = "microgen/provenance", "microgen/sample"
MICROMETRES = {"µm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "Å": 1e-4}
_MOST_PAGES = 2**16
_DEFLATE, _UNBOUNDED = (8, 32946), (34925,)
"""Numbers of packings: deflate, and LZMA, which can stand for thousands of times its bytes."""
_SMALL = 2**26
"""Bytes that any part of a page may unpack to."""
_DAMAGE = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError, MemoryError),
    *(OSError, struct.error, zlib.error, ElementTree.ParseError),
)

# tifffile tells of damage through this logger, and without a handler Python would print it: we raise instead.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the grain labels: uint16, or uint32 above 65535 grains; without grains phase_id + 1 (void 0) as uint8.

    Grey values of which nothing was made are written as they are. Packed, but for volumes of more than 256 MiB, of
    which a slab at a time is turned and written.

    Raises InvalidParameter when the grid is not square or the phases are too many.
    """
    name, labels, dtype = _labels(ms)
    _write(ms, path, slabs(labels, dtype), name=name, dtype=dtype)


def write_tiled(ms: TiledMicrostructure, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write the grain labels of a sample that is never held as a whole: the file of the whole, byte for byte."""
    wide = (ms.grains.volume[65535:] > 0).any()  # cells without a voxel are not seen
    dtype = np.dtype(np.uint32 if wide else np.uint16)
    _write(ms, path, planes.tiled(ms, dtype, progress=progress), name=_GRAINS, dtype=dtype)


def _write(
    ms: Microstructure | TiledMicrostructure,
    path: str | Path,
    pages: Iterator[np.ndarray],
    *,
    name: str,
    dtype: np.dtype,
) -> None:
    from tifffile import TiffWriter

    grid = emb.square_grid(ms, "a TIFF")
    shape = (*grid.shape, 1)[:3][::-1]
    packed = grid.size * dtype.itemsize <= planes.LARGE
    facts: dict[str, Any] = {"description": _ome_xml(ms, grid, name, dtype), "metadata": None}
    facts["software"] = f"microgen {tool_version()}"
    # Compressed or not, offsets in a classic TIFF end at 4 GiB.
    with TiffWriter(path, byteorder="<", bigtiff=grid.size * dtype.itemsize > 2**31) as tif:
        if packed:
            _write_packed(tif, (page for slab in pages for page in slab), facts)
            return
        place = tif.write(shape=shape, dtype=dtype, photometric="minisblack", returnoffset=True, **facts)
    fill(path, place, pages)


def _write_packed(tif: TiffWriter, pages: Iterator[np.ndarray], facts: dict[str, Any]) -> None:
    for number, page in enumerate(pages):
        described: dict[str, Any] = facts if number == 0 else facts | {"description": None}
        tif.write(page, photometric="minisblack", compression="zlib", compressionargs={"level": 1}, **described)


def fill(path: str | Path, place: tuple[int, int] | None, pages: Iterator[np.ndarray]) -> None:
    """Write pages to the place, offset and length, that a TIFF has kept free for them."""
    assert place is not None
    with open(path, "r+b") as file:
        file.seek(place[0])
        pour(file, pages)


def _labels(ms: Microstructure) -> tuple[str, np.ndarray, np.dtype]:
    """What the image shows, its values and their type."""
    if ms.grain_id is not None:
        wide = any(layer.max(initial=0) > 65535 for layer in ms.grain_id)  # seen in the first layers of large samples
        return _GRAINS, ms.grain_id, np.dtype(np.uint32 if wide else np.uint16)
    if ms.orientation is not None:
        name, remedy = "grain_id", one_array.UNSEGMENTED
        raise InvalidParameter(name, expected="a sample with grains", got=None, remedy=remedy)
    if ms.level_set is None and ms.grey is not None and (grey := one_array.chosen(ms, "a TIFF"))[0] == one_array.GREY:
        return _grey(*grey)
    if ms.phase_id.max(initial=0) > 254:
        raise InvalidParameter("phase_id", expected="at most 255 phases in a TIFF", got=int(ms.phase_id.max()) + 1)
    return _PHASES, ms.phase_id + 1, np.dtype(np.uint8)


def _grey(name: str, values: np.ndarray) -> tuple[str, np.ndarray, np.dtype]:
    if values.dtype.newbyteorder("=").name not in PIXELS:
        expected = f"grey values of one of the types {', '.join(PIXELS)}"
        raise InvalidParameter(name, expected=expected, got=values.dtype.name, remedy="Write a .nrrd or .npz.")
    return name, values, values.dtype.newbyteorder("=")


def _ome_xml(ms: Microstructure | TiledMicrostructure, grid: Grid, name: str, dtype: np.dtype) -> bytes:
    sizes = dict(zip("XYZ", (*grid.shape, 1)[:3])) | {"C": 1, "T": 1}
    sizes_xml = " ".join(f'Size{axis}="{n}"' for axis, n in sizes.items())
    physical = " ".join(
        f'PhysicalSize{axis}="{h!r}" PhysicalSize{axis}Unit="µm"' for axis, h in zip("XYZ", grid.spacing)
    )
    values = {_PROVENANCE: emb.provenance_json(emb.provenance_of(ms)), _SAMPLE: emb.sample_json(ms, array=name)}
    notes = "".join(
        f'<CommentAnnotation ID="Annotation:{k}" Namespace="{space}"><Value>{escape(text)}</Value></CommentAnnotation>'
        for k, (space, text) in enumerate(values.items())
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_SCHEMA}" Creator="microgen {tool_version()}">'
        f'<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{PIXELS[dtype.name]}" '
        f'{sizes_xml} {physical}><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<TiffData IFD="0" PlaneCount="{sizes["Z"]}"/></Pixels>'
        f'<AnnotationRef ID="Annotation:0"/><AnnotationRef ID="Annotation:1"/></Image>'
        f"<StructuredAnnotations>{notes}</StructuredAnnotations></OME>"
    ).encode()


def read(path: str | Path) -> Microstructure:
    """Read a label image: our own (also of phases) with grid and provenance; others with the spacing they state.

    Raises UnreadableFile for damaged files, UnsupportedFormat for images that are no labels.
    """
    path = Path(path)
    with opened(path) as tif:
        found = embedded(tif, path)
        pages = read_pages(tif, path)
        phases = f'Name="{_PHASES}"' in (tif.ome_metadata or "")
        if found.grid is None:
            return _foreign(tif, emb.as_labels(pages.T, path), found)
    array = found.array or (_PHASES if phases else _GRAINS)
    return one_array.restored(pages.T, replace(found, array=array), path)


def read_embedded(path: str | Path) -> emb.Embedded:
    """Grid, phases and provenance without the labels. Raises UnreadableFile."""
    with opened(Path(path)) as tif:
        return embedded(tif, Path(path))


@contextmanager
def opened(path: Path, unpacked: BinaryIO | None = None) -> Iterator[TiffFile]:
    """The open file (or what was unpacked of it); all that tifffile raises on damaged ones becomes UnreadableFile."""
    from tifffile import OmeXmlError, TiffFile, TiffFileError

    if unpacked is None and not path.is_file():
        raise UnreadableFile(path, "is not a file" if path.exists() else "does not exist", remedy="Check the path.")
    try:
        with TiffFile(unpacked or path) as tif:
            yield tif
    except (*_DAMAGE, TiffFileError, OmeXmlError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole TIFF ({reason})", remedy="Write or copy it again.") from error


def embedded(tif: TiffFile, path: Path) -> emb.Embedded:
    """What our TIFFs say, OME's and ImageJ's. Raises UnreadableFile."""
    xml = tif.ome_metadata
    if not xml or _SAMPLE not in xml:
        return _imagej(tif, path)
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise UnreadableFile(path, f"its OME-XML is damaged ({error})") from error
    texts = {
        note.get("Namespace"): note.findtext(f"{{{_SCHEMA}}}Value") or ""
        for note in root.iter(f"{{{_SCHEMA}}}CommentAnnotation")
    }
    return emb.parse(texts.get(_SAMPLE, ""), texts.get(_PROVENANCE, ""), path)


def info(sample: str, provenance: str) -> str:
    """The text shown by ImageJ as Image > Show Info."""
    return f"{_SAMPLE}: {sample}\n{_PROVENANCE}: {provenance}\n"


def _imagej(tif: TiffFile, path: Path) -> emb.Embedded:
    """What `info` says of a file in ImageJ's format."""
    text = str((tif.imagej_metadata or {}).get("Info", ""))
    lines = {key: value for key, _, value in (line.partition(": ") for line in text.splitlines())}
    if _SAMPLE not in lines:
        return emb.Embedded()
    return emb.parse(lines[_SAMPLE], lines.get(_PROVENANCE, ""), path)


def read_pages(tif: TiffFile, path: Path) -> np.ndarray:
    """The only image of the file, [(z,) y, x]."""
    if len(tif.pages) > _MOST_PAGES:
        raise UnsupportedFormat(f"{path}: holds {len(tif.pages)} pages, more than {_MOST_PAGES}.")
    if not tif.series:
        raise UnreadableFile(path, "holds no image", remedy="Write or copy it again.")
    if len(tif.series) > 1:
        raise UnsupportedFormat(f"{path}: holds {len(tif.series)} images, one volume of labels was expected.")
    series = tif.series[0]
    if set(series.axes) - set("ZYXIQ") or series.dtype is None:
        raise UnsupportedFormat(f"{path}: expected the axes ZYX or YX, got {series.axes}.")
    size = tif.filehandle.size
    emb.check_claim(path, series.nbytes, size)
    for number, page in enumerate(series.pages):
        # tifffile fills with zeros whatever is missing: a truncated file would come out as void.
        parts = [] if page is None else list(zip(page.dataoffsets, page.databytecounts))
        if not parts or max(a + n if n else size + 1 for a, n in parts) > size:
            raise UnreadableFile(path, f"is truncated: page {number} is not whole", remedy="Write or copy it again.")
        _check_packing(tif, page, parts, path=path)
    return series.asarray()


def _check_packing(tif: TiffFile, page: Any, parts: list[tuple[int, int]], *, path: Path) -> None:
    """Refuse parts of a page that would unpack to far more than their share of it, before tifffile unpacks them."""
    kind = int(page.keyframe.compression)
    if kind in _UNBOUNDED:
        raise UnsupportedFormat(f"{path}: is packed in a way that is not read. Save it by ZIP (deflate), or unpacked.")
    if kind not in _DEFLATE:
        return
    share = math.prod(page.keyframe.chunks) * page.keyframe.dtype.itemsize
    for offset, count in parts:
        if 1032 * count <= max(_SMALL, share):
            continue
        tif.filehandle.seek(offset)
        stream, data, total = zlib.decompressobj(), tif.filehandle.read(count), 0
        while data and total <= share:
            total += len(stream.decompress(data, _SMALL // 16))
            data = stream.unconsumed_tail
        if total > share:
            raise UnreadableFile(path, f"a page unpacks to more than {share} bytes", remedy="Write or copy it again.")


def _foreign(tif: TiffFile, labels: np.ndarray, found: emb.Embedded) -> Microstructure:
    spacing = ome_spacing(tif.ome_metadata, labels.ndim) if tif.is_ome else None
    notes = () if spacing else (NO_SIZE,)
    return emb.labelled(labels, Grid(labels.shape, spacing or (1.0,) * labels.ndim), found, notes=notes)


def ome_spacing(xml: str | None, ndim: int) -> tuple[float, ...] | None:
    """PhysicalSizeX, Y (, Z) in µm; None when one is missing or has no unit of length."""
    pixels = next((e for e in ElementTree.fromstring(xml or "<x/>").iter() if e.tag.endswith("}Pixels")), None)
    spacing = []
    for axis in "XYZ"[:ndim]:
        size = None if pixels is None else pixels.get(f"PhysicalSize{axis}")
        unit = "" if pixels is None else pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if size is None or unit not in MICROMETRES or not 0 < float(size) < float("inf"):
            return None
        spacing.append(float(size) * MICROMETRES[unit])
    return tuple(spacing)
