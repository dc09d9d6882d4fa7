"""The option `--set KEY=VALUE` of every command that loads a topology.

Does not own what a key means (emulator/topology/written/overrides.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..emulator.topology.written.overrides import Override

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help='A value in place of the topology\'s, e.g. "links.alice-bob.quantum.length=40 km".',
    ),
]


def overrides_from(texts: list[str] | None) -> list[Override]:
    """What the options say, in order. Raises InputError."""
    from ..emulator.topology.written.overrides import override_of_text

    return [override_of_text(text) for text in texts or ()]
