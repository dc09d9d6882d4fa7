"""The console that pages are printed to. Rich is imported here, and not before there is a page."""

from __future__ import annotations

from rich.console import Console


class Page(Console):
    """A console that does not end the program when its reader has closed the output."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
