"""The console that pages are printed to. Rich is imported here, and not before there is a page."""

from __future__ import annotations

import sys

from rich.console import Console

from ..text.folding import width_of


class Page(Console):
    """Standard output: as wide as the terminal, and whole in a file or a pipe.

    It does not end the program when its reader has closed the output.
    """

    def __init__(self) -> None:
        super().__init__(width=width_of(sys.stdout))

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
