"""`qnetem expect`: what an expectation may call, and the value of one expression.

Owns the command and its options. Does not own the list (expect/listing.py) nor the arithmetic.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..emulator.errors import InputError
from .terminal import errors_on_standard_error, reader_may_close


class ListFormat(StrEnum):
    """How the list is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("expect")(expect_command)


def expect_command(
    expression: Annotated[
        str, typer.Argument(metavar="[EXPRESSION]", help="An expression, or a word with --list.")
    ] = "",
    listed: Annotated[
        bool, typer.Option("--list", help="List functions, with arguments, units and sources.")
    ] = False,
    topology: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A topology, for pair('alice-bob').")
    ] = None,
    form: Annotated[
        ListFormat, typer.Option("--format", help="How the list is printed.")
    ] = ListFormat.text,
) -> None:
    """Evaluate an expression as expect: does, or list what it may call."""
    with errors_on_standard_error():
        if listed:
            lines = _list(expression, form)
        elif expression:
            lines = [_value(expression, topology)]
        else:
            raise InputError("say --list, or an expression such as 'werner_join(0.9, 0.95)'")
        with reader_may_close():
            for line in lines:
                typer.echo(line)


def _list(word: str, form: ListFormat) -> list[str]:
    from ..expect.listing import as_data, as_markdown, as_text

    if form is ListFormat.json:
        return [json.dumps(as_data(word))]
    if form is ListFormat.markdown:
        if word:
            raise InputError("--format markdown prints the whole list")
        return [as_markdown().rstrip("\n")]
    return as_text(word, Console().width)


def _value(expression: str, topology: Path | None) -> str:
    from ..expect.expressions import evaluate
    from ..expect.predictions import formulas, functions

    if topology is None:
        return f"{evaluate(expression, formulas())}"
    from ..emulator.loading import load_topology

    return f"{evaluate(expression, functions(load_topology(topology)))}"
