"""Functions of the interpreter's libraries exchanged for others, wherever a module has a name for them.

Owns how that is done, once per process. What comes in their place is in guards.py, clocks.py,
randomness.py and machine.py.

Rule: an exchanged function passes straight through where no program runs, and for the callers in
`OWN_MODULES`, which keep time and threads for themselves with nothing that can be observed.

Names that were bound before (`from time import time` in a module that is loaded already) are found and
exchanged too, but no copies in containers, defaults of arguments and objects. Types are changed in place,
which CPython permits only through a type's own dictionary and a word to its attribute cache: decoders
and `type(x) is datetime` would not know a subclass.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ...emulator.errors import Refused
from ..loop.virtual_loop import VirtualLoop
from .running_program import current, guarded

#: The first part of the names of modules that see what is real, inside a step too.
OWN_MODULES = frozenset(
    ("asyncio", "concurrent", "importlib", "linecache", "selectors", "threading", "zipimport")
)
#: Modules of ours that are programs like any other.
SHIPPED_PROGRAMS = ("qnetem.agents.protocols.", "qnetem.agents.roles.")
#: What has been exchanged: id -> (the original, which so stays alive, and what came in its place).
_exchanged: dict[int, tuple[Any, Any]] = {}

#: What a program sees in place of a call: from the loop it runs in, the original and the call's arguments.
Answer = Callable[..., Any]


def replace(owner: Any, name: str, function: Any) -> None:
    """Put `function` in the place of `owner.name`; `exchange_names` does the rest."""
    plain = getattr(owner, name)
    _exchanged[id(plain)] = plain, function
    setattr(owner, name, function)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a function was before another one was put in its place; itself, if none was."""
    return next((old for old, new in _exchanged.values() if new is function), function)


def exchange_names() -> None:
    """Exchange what has been replaced under all names that loaded modules have for it."""
    for module in list(sys.modules.values()):
        members = getattr(module, "__dict__", None)
        if type(members) is not dict:
            continue
        top = str(members.get("__name__")).partition(".")[0]
        if top in OWN_MODULES or top == "qnetem":
            continue
        for name, value in list(members.items()):
            plain, function = _exchanged.get(id(value), (None, None))
            if plain is not None and value is plain:
                members[name] = function


def refusal(call: str, instead: str) -> Refused:
    """The error of a call that a program cannot make."""
    return Refused(f"{call} is not possible inside a program: {instead}", call=call)


def refuse(owner: Any, name: str, call: str, instead: str, plain: Any = None) -> None:
    """Have `owner.name`, if there is one, refused to programs; others call `plain` (None: as it was)."""
    plain = plain or getattr(owner, name, None)
    if plain is None:
        return

    @functools.wraps(plain)
    def refused(*args: Any, **kwargs: Any) -> Any:
        if current() is not None and _refusable(sys._getframe(1)):
            raise refusal(call, instead)
        return plain(*args, **kwargs)

    replace(owner, name, refused)


def answer(owner: Any, name: str, virtual: Answer) -> None:
    """Have `owner.name`, if there is one, answered to programs by `virtual(loop, plain, *args)`."""
    plain = getattr(owner, name, None)
    if plain is None:
        return

    @functools.wraps(plain)
    def answered(*args: Any, **kwargs: Any) -> Any:
        loop = current()
        if loop is None or _is_own(sys._getframe(1)):
            return plain(*args, **kwargs)
        return virtual(loop, plain, *args, **kwargs)

    replace(owner, name, answered)


def answer_of_machine(owner: Any, name: str, virtual: Answer) -> None:
    """As `answer`, for what a library may ask for while it is imported."""
    plain = getattr(owner, name, None)
    if plain is None:
        return

    @functools.wraps(plain)
    def answered(*args: Any, **kwargs: Any) -> Any:
        loop = program_at(sys._getframe(1))
        if loop is None:
            return plain(*args, **kwargs)
        return virtual(loop, plain, *args, **kwargs)

    replace(owner, name, answered)


def program_at(frame: FrameType) -> VirtualLoop | None:
    """The program's loop when this frame calls for a program, and not while a library is imported."""
    loop = current()
    return None if loop is None or _is_own(frame) else guarded(frame)


def _refusable(frame: FrameType) -> bool:
    return guarded(frame) is not None


def _is_own(frame: FrameType) -> bool:
    """Ours among them: it may have been imported before the guards were installed, or after."""
    module: str = frame.f_globals.get("__name__") or ""
    top = module.partition(".")[0]
    return top in OWN_MODULES or (top == "qnetem" and not module.startswith(SHIPPED_PROGRAMS))


def exchange_method(kind: type, name: str, method: Any) -> None:
    """Exchange `kind.name` in place; `method` is what stands in the dictionary (perhaps a classmethod)."""
    members: dict[str, Any] = gc.get_referents(kind.__dict__)[0]
    members[name] = method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
