"""3MF in mm: one object with its colour a grain or phase, or the solid of a level set; provenance inside.

A 3MF is a zip of three small XML files (3MF Core Specification 1.3). Written here because that is a page, gives the
same bytes for the same sample, and lib3mf has no wheels for Linux on ARM; it reads what is written here in a test.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io import embedded as emb
from microgen.io.bodies import GREY, bodies_of, checked
from microgen.meshing import Body
from microgen.microstructure import Microstructure
from microgen.provenance import Provenance, tool_version

NAME = "3mf"
SUFFIXES = (".3mf",)
MAGIC = b"PK\x03\x04"

_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_OURS = "https://pypi.org/project/microgen-gpu"
_MODEL = "3D/3dmodel.model"
_LONGEST_HEAD = 2**26
_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>\n'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Target="/{_MODEL}" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>\n'
)

_DAMAGE = (zipfile.BadZipFile, zlib.error, ElementTree.ParseError, EOFError, NotImplementedError, RuntimeError)


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: surfaces, of which no voxels come back."""
    return frozenset()


def write(ms: Microstructure, path: str | Path) -> None:
    """Write one object a grain; without grains the solid of the level set; without that one object a phase.

    Raises InvalidParameter for planes, NotPrintable when nothing is solid or a surface is not closed.
    """
    write_bodies(bodies_of(ms), path, provenance=emb.provenance_of(ms))


def write_bodies(bodies: Iterable[Body], path: str | Path, *, provenance: Provenance) -> None:
    """Write named surfaces, points in mm, each as an object with its colour and all of them on the build plate.

    Raises NotPrintable when one is not closed.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        package.writestr(_entry("[Content_Types].xml"), _TYPES)
        package.writestr(_entry("_rels/.rels"), _RELATIONS)
        with package.open(_entry(_MODEL), "w", force_zip64=True) as model:
            model.write(_head(provenance).encode())
            number = 0
            for number, body in enumerate(checked(bodies), 1):
                model.writelines(_object(2 * number, body))
            items = "".join(f'<item objectid="{2 * k}"/>' for k in range(1, number + 1))
            model.write(f"</resources><build>{items}</build></model>\n".encode())


def _entry(name: str) -> zipfile.ZipInfo:
    """A fixed date, so that the same sample gives the same bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def _head(provenance: Provenance) -> str:
    texts = {"Application": f"microgen {tool_version()}", "microgen:provenance": emb.provenance_json(provenance)}
    notes = "".join(f'<metadata name="{name}">{escape(text)}</metadata>' for name, text in texts.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}" '
        f'xmlns:microgen="{_OURS}">{notes}<resources>'
    )


def _object(number: int, body: Body) -> Iterator[bytes]:
    """The material, which has the number before, and the object."""
    mesh, name = body.mesh, quoteattr(body.name)
    colour = "".join(f"{part:02X}" for part in body.colour or GREY)
    yield f'<basematerials id="{number - 1}"><base name={name} displaycolor="#{colour}FF"/></basematerials>'.encode()
    yield f'<object id="{number}" type="model" name={name} pid="{number - 1}" pindex="0"><mesh><vertices>\n'.encode()
    # Nine digits: the float32 numbers that were checked, and no others.
    for rows in _blocks(mesh.points.astype(np.float32)):
        yield "".join(f'<vertex x="{x:.9g}" y="{y:.9g}" z="{z:.9g}"/>\n' for x, y, z in rows).encode()
    yield b"</vertices><triangles>\n"
    for rows in _blocks(mesh.triangles):
        yield "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>\n' for a, b, c in rows).encode()
    yield b"</triangles></mesh></object>"


def _blocks(array: np.ndarray) -> Iterator[list[list[float]]]:
    yield from (array[k : k + 10_000].tolist() for k in range(0, len(array), 10_000))


def read_embedded(path: str | Path) -> Provenance | None:
    """The provenance in a file; None in one that is not ours. Raises UnreadableFile, UnsupportedFormat."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as package:
            if _MODEL not in package.namelist():
                raise UnsupportedFormat(f"{path}: is a zip file, but no 3MF.")
            with package.open(_MODEL) as model:
                head = model.read(_LONGEST_HEAD).partition(b"<resources")[0]
        root = ElementTree.fromstring(head + b"</model>")
    except _DAMAGE as error:
        raise UnreadableFile(path, f"is no whole 3MF ({error})", remedy="Write or copy it again.") from error
    notes = {note.get("name"): note.text for note in root.iter(f"{{{_CORE}}}metadata")}
    text = notes.get("microgen:provenance")
    return None if text is None else emb.parse_provenance(text, path)
