"""VTK's own XML files (.vtu, .vtp), written in memory first: on a full disk VTK's writers abort the whole process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microgen.errors import MicrogenError


def save(found: Any, path: Path) -> None:
    """Write an UnstructuredGrid or PolyData of pyvista, whatever the suffix of the (temporary) path."""
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter, vtkXMLUnstructuredGridWriter

    writer = vtkXMLPolyDataWriter() if found.IsA("vtkPolyData") else vtkXMLUnstructuredGridWriter()
    writer.SetInputData(found)
    writer.SetDataModeToBinary()
    writer.WriteToOutputStringOn()
    if not writer.Write():
        raise MicrogenError(f"{path}: VTK did not write the mesh.")
    path.write_text(writer.GetOutputString(), encoding="utf-8")
