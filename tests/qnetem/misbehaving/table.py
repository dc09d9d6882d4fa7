"""Tables of programs that misbehave: by group, then by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Deed = Callable[[Any], Awaitable[Any]]
Groups = dict[str, dict[str, Deed]]


def table() -> tuple[Groups, Callable[[str], Callable[[Deed], Deed]]]:
    """A table, and a decorator that enters a coroutine in a group of it."""
    groups: Groups = {}

    def deed(group: str) -> Callable[[Deed], Deed]:
        def enter(function: Deed) -> Deed:
            groups.setdefault(group, {})[function.__name__.replace("_", "-")] = function
            return function

        return enter

    return groups, deed
