"""All reference vectors, by section.

Owns the order of the sections and the choice of some of them. Does not own the vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..emulator.errors import InputError
from .sections import (
    conventions,
    devices,
    eavesdropper,
    fibre,
    key_rates,
    links,
    protocols,
    repeaters,
    space,
    systems,
)
from .vectors import Vector


class Section(NamedTuple):
    """A section of the report."""

    number: str
    title: str
    vectors: tuple[Vector, ...]


def _sections() -> Iterator[Section]:
    modules = (
        conventions,
        fibre,
        devices,
        key_rates,
        systems,
        protocols,
        eavesdropper,
        links,
        repeaters,
        space,
    )
    for module in modules:
        for number, title in module.TITLES.items():
            own = tuple(vector for vector in module.VECTORS if vector.section == number)
            yield Section(number, title, own)


#: In the order of the report.
SECTIONS: tuple[Section, ...] = tuple(_sections())


def select(wanted: str | None = None) -> tuple[Section, ...]:
    """The section `wanted` ("6.2"), or all that belong to it ("6"); None: all.

    Raises InputError for one that is none.
    """
    if wanted is None:
        return SECTIONS
    wanted = wanted.strip().rstrip(".")
    chosen = tuple(section for section in SECTIONS if f"{section.number}.".startswith(f"{wanted}."))
    if not chosen:
        known = ", ".join(section.number for section in SECTIONS)
        raise InputError(
            f"no section {wanted!r} in the reference report; there are 0 to 7: {known}"
        )
    return chosen
