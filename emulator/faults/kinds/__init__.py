"""The faults by name, one file each: its word, its parameters and limits, whom it fits, and its effect.

They lie by what they strike: `nodes`, `messages`, `links` (both planes), `light` and its heralds, `devices`.
Owns collecting them: a fault is added by adding its file to one of these. Does not own what a fault is
(base.py).

Rule: the order is fixed. A campaign draws among all kinds in this order, so another order would be another
campaign from the same seed; the JSON Schema and errors list faults in it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from ..base import Fault, FaultKind

#: Faults that are not named here come after these, by name.
_FIRST = (
    *("kill", "restart", "pause"),
    *(
        "cut",
        "partition",
        "loss",
        "delay",
        "jitter",
        "duplicate",
        "reorder",
        "corrupt",
        "bandwidth",
    ),
    *("loss_db", "misalignment", "dark_counts", "blind", "source_off", "decohere", "memory_reset"),
    *("lost_herald", "false_herald", "clouds", "eavesdrop", "clock_skew", "compromise"),
)


def _place(verb: str) -> tuple[int, str]:
    return (_FIRST.index(verb) if verb in _FIRST else len(_FIRST)), verb


def _collected() -> dict[str, type[Fault]]:
    """Verb -> class, from the file of that name."""
    found: dict[str, type[Fault]] = {}
    for group in iter_modules(__path__, f"{__name__}."):
        for file in iter_modules(import_module(group.name).__path__, f"{group.name}."):
            verb = file.name.rpartition(".")[2]
            (found[verb],) = _faults_of(import_module(file.name))
            assert found[verb].kind.verb == verb, "a fault's file is called after it"
    return {verb: found[verb] for verb in sorted(found, key=_place)}


def _faults_of(module: ModuleType) -> Iterator[type[Fault]]:
    """Those that are defined there."""
    for each in vars(module).values():
        if (
            isinstance(each, type)
            and issubclass(each, Fault)
            and each.__module__ == module.__name__
        ):
            yield each


FAULTS: dict[str, type[Fault]] = _collected()
FAULT_KINDS: dict[str, FaultKind] = {verb: fault.kind for verb, fault in FAULTS.items()}
