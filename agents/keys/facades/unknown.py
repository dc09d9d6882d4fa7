"""Unknown: a path, or a method of it, that an interface has not got."""

from __future__ import annotations


class Unknown(Exception):
    """`allowed`: the methods that the path has, if it is one."""

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.allowed = allowed
