"""A Jupyter kernel in which the tests run cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat

#: A cell may take so long (s) on a busy machine.
PATIENCE_S = 120


def notebook(cells: list[str]) -> Any:
    """A notebook of code cells."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def client(book: Any, folder: Path) -> nbclient.NotebookClient:
    """What runs its cells in a kernel of this Python, in a folder."""
    resources = {"metadata": {"path": str(folder)}}
    return nbclient.NotebookClient(book, timeout=PATIENCE_S, kernel_name="python3", resources=resources)
