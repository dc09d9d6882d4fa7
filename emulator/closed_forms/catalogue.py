"""Every closed form of the package by name: its arguments, their units, what it gives, and its source.

Owns the names under which people call them (`expect:`, `qnetem.closed_forms`), the units and the sources.
Does not own a formula: each is a public function or class of its subject's file. Rule: nothing public is left
out, and nothing here stands for what is gone; a test compares both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from . import (
    basics,
    codes,
    continuous_variable,
    eavesdropping,
    finite_decoy,
    finite_key,
    free_space,
    limits,
    links,
    mdi,
    orbits,
    pair_streams,
    protocols,
    purification,
    qkd,
    turbulence,
    waiting,
)
from .units_and_sources import ARGUMENT_UNITS, OWN_UNITS, RESULTS, SOURCES

SUBJECTS: Mapping[str, ModuleType] = {
    "fibre, noise, memories, swapping": basics,
    "heralded links": links,
    "waiting": waiting,
    "purification": purification,
    "error correction": codes,
    "key distribution": qkd,
    "single photons and pairs": protocols,
    "pairs without a clock": pair_streams,
    "measurement-device-independent": mdi,
    "continuous variables": continuous_variable,
    "finite keys": finite_key,
    "finite keys of weak pulses": finite_decoy,
    "eavesdropping": eavesdropping,
    "limits": limits,
    "free space": free_space,
    "turbulence": turbulence,
    "satellites": orbits,
}
#: Names that say too little outside their file: name there -> name everywhere else.
_STATED = {
    ("mdi", "rate"): "mdi_rate",
    ("mdi", "rectilinear"): "mdi_rectilinear",
    ("mdi", "diagonal"): "mdi_diagonal",
}
#: Numbers and systems that have names of their own.
CONSTANTS: Mapping[str, Any] = {
    "EARTH_RADIUS_KM": orbits.EARTH_RADIUS_KM,
    "GROUP_INDEX": basics.GROUP_INDEX,
    "LIGHT_KM_PER_S": basics.LIGHT_KM_PER_S,
    "E0": qkd.E0,
    "GYS": qkd.GYS,
}


@dataclass(frozen=True)
class Argument:
    """One argument: its name, its unit, and its default as text ("" if it must be given)."""

    name: str
    unit: str
    default: str
    annotation: str


@dataclass(frozen=True)
class ClosedForm:
    """One closed form. `signature` is as people read it; `formula` is the docstring's first sentence."""

    name: str
    subject: str
    function: Callable[..., Any]
    arguments: tuple[Argument, ...]
    result: str
    source: str
    formula: str

    @property
    def signature(self) -> str:
        """`transmittance(length_km, attenuation_db_per_km, insertion_loss_db=0.0)`."""
        shown = [a.name + (f"={a.default}" if a.default else "") for a in self.arguments]
        return f"{self.name}({', '.join(shown)})"


@cache
def closed_forms() -> Mapping[str, ClosedForm]:
    """All of them by name, in the order of the subjects and of their files."""
    found: dict[str, ClosedForm] = {}
    for subject, module in SUBJECTS.items():
        for own_name, function in _public(module):
            short = module.__name__.rpartition(".")[2]
            name = _STATED.get((short, own_name), own_name)
            assert name not in found, f"two closed forms are called {name}"
            found[name] = _form(name, subject, function)
            if inspect.isclass(function):
                for method_name, method in _methods(function):
                    method_name = f"{name}.{method_name}"
                    found[method_name] = _form(method_name, subject, method, bound=True)
    return MappingProxyType(found)


def _public(module: ModuleType) -> list[tuple[str, Callable[..., Any]]]:
    """The module's own functions and classes, in the order in which they stand there."""
    return [
        (name, item)
        for name, item in vars(module).items()
        if (inspect.isfunction(item) or inspect.isclass(item))
        and item.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _methods(cls: type) -> list[tuple[str, Callable[..., Any]]]:
    return [
        (name, item)
        for name, item in vars(cls).items()
        if inspect.isfunction(item) and not name.startswith("_")
    ]


def _form(
    name: str, subject: str, function: Callable[..., Any], *, bound: bool = False
) -> ClosedForm:
    parameters = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
    arguments = tuple(_argument(name, parameter) for parameter in parameters)
    formula = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    owner = name.partition(".")[0]
    source = SOURCES.get(name) or SOURCES[owner]
    return ClosedForm(name, subject, function, arguments, RESULTS[name], source, formula)


def _argument(name: str, parameter: inspect.Parameter) -> Argument:
    default = "" if parameter.default is parameter.empty else f"{parameter.default!r}"
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    unit = OWN_UNITS.get((name, parameter.name)) or ARGUMENT_UNITS[parameter.name]
    return Argument(star + parameter.name, unit, default, str(parameter.annotation))
