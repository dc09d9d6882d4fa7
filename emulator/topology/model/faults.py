"""Faults as data: as a file writes them, and one by one as they will happen.

Owns the classes. Does not own how an entry is read and what it comes to (topology/faults/), nor which faults
there are and what they do (faults/).

Rule: a `FaultEntry` may speak of many (`every`, `all`, a share); a `FaultSpec` is one fault with one target,
one beginning and at most one end. Only `FaultSpec`s are carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SkipValidation, Strict

from ..written.positions import Position
from ..written.vocabulary import Section
from .quantities import DurationNs, PositiveNs, PositiveNsOrNone

Value = float | int | str | None
#: How a fault that was added to a run under way is called: "live.1".
LIVE = "live."
#: "all" that fit, "one" of them, or that share of them (rounded up, so never none).
Pick = Literal["all", "one"] | float


class _Placed(Section):
    """Its position, and by key those of its parts; "kill:r1" is a name in a list."""

    place: Position = Field(default=Position(), exclude=True, repr=False)
    places: Annotated[Mapping[str, Position], SkipValidation] = Field(
        default_factory=dict, exclude=True, repr=False
    )

    def place_of(self, *keys: str) -> Position:
        """The position of the first of these that was written; else of the whole."""
        return next((self.places[key] for key in keys if key in self.places), self.place)


class Target(Section):
    """What a fault happens to. Names, or all that fit, of which `pick` are taken.

    `kind`: nodes of that kind. `name`: a pattern with * and ? for the name. `node`: links of that node.
    `groups` are those of a partition; nodes in none of them form one more.
    """

    names: list[str] | None = None
    kind: str | None = None
    name: str | None = None
    node: str | None = None
    pick: Pick = "all"
    groups: list[list[str]] | None = None


class FaultEntry(_Placed):
    """An entry of `faults:`. `parameters` holds every parameter of the verb, times in integer ns.

    A parameter that was not given has its default. `for_ns` None: it never heals, or cannot last.
    `at_ns` is when it happens first; with `every_ns` again and again, before `until_ns`. `id` None: it is
    called by its place.
    """

    id: str | None = None
    verb: str
    target: Target
    at_ns: DurationNs
    every_ns: PositiveNsOrNone = None
    until_ns: PositiveNsOrNone = None
    for_ns: PositiveNsOrNone = None
    parameters: dict[str, Value] = Field(default_factory=dict)


class RandomFaults(Section):
    """`faults: {random: ...}`: a campaign, drawn from the run's seed.

    Faults begin as a Poisson process of `rate_hz` from `from_ns` to before `until_ns`; each is one of
    `kinds`, lasts between the two of `for_ns` (log-uniform) and leaves alone what is in `spare`.
    """

    rate_hz: float
    kinds: list[str]
    from_ns: DurationNs = 0
    until_ns: PositiveNs
    for_ns: Annotated[tuple[int, int], Strict(False)]  # JSON makes a list of it
    spare: list[str] = Field(default_factory=list)
    place: Position = Field(default=Position(), exclude=True, repr=False)


class FaultSpec(_Placed):
    """One fault. `id` names it in journal, summary and commands: "2", "2.5" of a repeated entry, "live.1".

    `target` is a node or a link; of a partition the groups, and then `members` are the links it cuts.
    `healed_ns`: it is healed by hand then, unless it has ended by itself (of a run that is repeated).
    """

    id: str = ""
    verb: str
    target: str
    at_ns: DurationNs
    for_ns: PositiveNsOrNone = None
    healed_ns: PositiveNsOrNone = None
    parameters: dict[str, Value] = Field(default_factory=dict)
    members: list[str] = Field(default_factory=list)
