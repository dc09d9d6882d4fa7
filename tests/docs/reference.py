"""docs/reference.md, written from signatures and docstrings.

Owns which classes and functions the page lists, and its layout. Rule: whatever is public is on the page, also
a class or function that the package has got since.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

import qnetem
from qnetem import pytest_plugin
from qnetem.agents import keys, protocols, roles
from qnetem.agents.agent import Agent
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.messages import Message
from qnetem.agents.network.link_facts import LinkFacts
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.agents.network.requests import LinkOutcomes, LinkPair
from qnetem.agents.network_words import NetworkOutcomes, NetworkPair, NetworkWords
from qnetem.agents.protocols.swapping import LongPairs, long_pair
from qnetem.agents.pulses.trains import Clicks, PairTrain, PulseTrain, Stored
from qnetem.agents.qubits import Memory, Pair, Qubit
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.agents.service import Service, is_offered
from qnetem.api import RunKeywords
from qnetem.emulator.wire import Joined, LinkInfo
from qnetem.emulator.wire.control import FaultRecord, Problem
from qnetem.expect.expect import Verdict

from .pages import ROOT

REFERENCE = ROOT / "docs" / "reference.md"
_WIDTH = 115

_HEAD = """\
# Reference

Every word of programs, runs and tests, with its signature. `make docs` writes this page from the code.
[programs.md](programs.md) and [testing.md](testing.md) say how the words go together, and
[examples.md](examples.md) uses them.

Names say their units: `_ns` nanoseconds of virtual time, `_s` seconds, `_ps` picoseconds, `_km` kilometres.
What is written with `await` takes virtual time, or may.
"""

#: Class -> what an object of it is called on the page.
PROGRAM_CLASSES: dict[type, str] = {
    Agent: "self",
    Message: "message",
    Qubit: "qubit",
    Pair: "pair",
    Memory: "self.memory",
    LinkInfo: "link",
    Joined: "joined",
    PulseTrain: "train",
    PairTrain: "train",
    Clicks: "clicks",
    Stored: "stored",
    LongPairs: "pairs",
    LinkLayer: "link",
    KeyService: "keys",
    LinkPair: "pair",
    LinkOutcomes: "outcomes",
    LinkFacts: "facts",
    NetworkWords: "self.network",
    NetworkPair: "pair",
    NetworkOutcomes: "outcomes",
    Eavesdropper: "self",
}
RUN_CLASSES: dict[type, str] = {
    qnetem.Run: "run",
    qnetem.Network: "network",
    qnetem.Event: "event",
    Verdict: "verdict",
    Problem: "problem",
    FaultRecord: "fault",
}
_ELSEWHERE = (*PROGRAM_CLASSES, qnetem.Topology, Exception)
for _name in qnetem.__all__:
    _value = getattr(qnetem, _name)
    if inspect.isclass(_value) and not issubclass(_value, _ELSEWHERE):
        RUN_CLASSES.setdefault(_value, _name.lower())
#: What every tuple, Struct and handle has.
_EVERYBODYS = {*dir(tuple), *dir(msgspec.Struct), *dir(object)}


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, "## In programs\n"]
    parts += [_class_section(each, name) for each, name in PROGRAM_CLASSES.items()]
    parts += [_long_pair(), _programs(), _functions()]
    parts += [_class_section(each, name) for each, name in RUN_CLASSES.items()]
    parts += [_errors()]
    return "\n".join(parts)


def attributes(cls: type) -> list[str]:
    """Names of the public attributes of an object: fields and slots, then properties and methods."""
    names = [*_described(cls), *inspect.get_annotations(cls), *getattr(cls, "__slots__", ())]
    begun = inspect.getsource(cls).partition("def __init__(")[2].partition("\n    def ")[0]
    names += re.findall(r"self\.(\w+)[:,]? ", begun)
    names += [name for each in reversed(cls.__mro__) for name in vars(each)]
    if cls is Eavesdropper:
        names = list(vars(cls))  # the others are those of Agent
    elif issubclass(cls, Service):
        names = [name for name in vars(cls) if is_offered(cls, name)]
    return [
        name
        for name in dict.fromkeys(names)
        if not name.startswith("_") and name not in _EVERYBODYS and (cls, name) != (Agent, "run")
    ]


def programs() -> list[type[Agent]]:
    """The programs that come along, in the order of their modules."""
    found: dict[type[Agent], None] = {}
    for package in (roles, protocols, keys):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for cls in vars(module).values():
                if _is_program(cls) and cls.__module__ == module.__name__:
                    found[cls] = None
    return list(found)


def _is_program(cls: Any) -> bool:
    return inspect.isclass(cls) and issubclass(cls, Agent) and hasattr(cls, "run")


def signature(function: Callable[..., Any], *, returns: bool = True) -> str:
    """`(source: str | None = None, *, kind: str | None = None) -> Message`, without self."""
    found = inspect.signature(function)
    words, star = [], False
    for parameter in found.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = True
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        words.append(_parameter(parameter))
    result = found.return_annotation
    told = f" -> {_type(result)}" if returns and result not in (found.empty, None, "None") else ""
    return f"({', '.join(words)}){told}"


# --- a class ---


def _class_section(cls: type, name: str) -> str:
    lines = [f"### {cls.__name__}", "", _prose(_without_attributes(cls)), ""]
    described = _described(cls)
    fields = [] if described else list(inspect.get_annotations(cls))
    if fields:
        words = ", ".join(f"`{name}.{field}{_annotation(cls, field)}`" for field in fields)
        lines += [*_filled(words), ""]
    for attribute in attributes(cls):
        if attribute not in fields:
            lines += _attribute(cls, name, attribute, described)
    return "\n".join(lines).rstrip() + "\n"


def _attribute(cls: type, name: str, attribute: str, described: dict[str, str]) -> list[str]:
    there = inspect.getattr_static(cls, attribute, None)
    if isinstance(there, classmethod | staticmethod):
        there = there.__func__
    if inspect.isfunction(there):
        awaited = "await " if inspect.iscoroutinefunction(there) else ""
        head, text = f"{awaited}{name}.{attribute}{signature(there)}", inspect.getdoc(there)
    elif getter := getattr(there, "fget", None) or getattr(there, "func", None):
        head, text = f"{name}.{attribute}{_result(getter)}", inspect.getdoc(getter)
        if isinstance(there, property) and there.fset:
            text = f"{text} It can be set."
    else:
        kind = _annotation(cls, attribute)
        head, text = f"{name}.{attribute}{kind}", described.get(attribute)
    return _entry(head, text or "")


def _described(cls: type) -> dict[str, str]:
    """Attributes with their text: the part `Attributes:` of the docstring, and `#:` comments."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        part = (inspect.getdoc(each) or "").partition("\nAttributes:\n")[2]
        for entry in re.split(r"\n(?=\S)", textwrap.dedent(part)):
            name, colon, text = entry.partition(":")
            if colon:
                found[name.strip()] = " ".join(text.split())
    comments = re.findall(r"#: (.+)\n\s+self\.(\w+)", inspect.getsource(cls))
    return found | {name: text for text, name in comments}


def _without_attributes(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\nAttributes:\n")[0]


def _annotation(cls: type, attribute: str) -> str:
    kinds = {
        name: kind for each in cls.__mro__ for name, kind in inspect.get_annotations(each).items()
    }
    kind = kinds.get(attribute)
    if kind is None:
        return ""
    return f": {_type(kind)}"


def _result(getter: Callable[..., Any]) -> str:
    return f": {_type(inspect.signature(getter).return_annotation)}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        text += f": {_type(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        default = parameter.default
        value = f'"{default}"' if isinstance(default, str) else repr(default)
        text += f" = {value}" if ":" in text else f"={value}"
    return text


def _type(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)
    return text if isinstance(text, str) else inspect.formatannotation(annotation)


def _prose(text: str) -> str:
    """A docstring's paragraphs, each on lines of the page's width."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join("\n".join(_filled(each)) for each in blocks)


def _filled(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), _WIDTH, break_on_hyphens=False, break_long_words=False
    )


def _entry(head: str, text: str) -> list[str]:
    """An item of a list: what is written, and what it does."""
    if not text:
        return [f"- `{head}`"]
    first, *more = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return (
        textwrap.indent("\n\n".join([f"`{head}`: {first}", *map(_prose, more)]), "  ")
        .replace("  ", "- ", 1)
        .split("\n")
    )


# --- functions and programs ---


def _long_pair() -> str:
    return "\n".join(
        [
            "`LongPairs` and `long_pair` are in `qnetem.agents.protocols.swapping`, `Eavesdropper` is in",
            "`qnetem.agents.roles.eavesdropper`.",
            "",
            *_entry(f"await long_pair{signature(long_pair)}", inspect.getdoc(long_pair) or ""),
            "",
        ]
    )


def _programs() -> str:
    lines = [
        "## Programs that come along",
        "",
        "Name them under `program:` in a topology, with their options under `with:`; or `await",
        "self.perform(Program, option=...)` them in a program of your own.",
        "",
    ]
    for cls in programs():
        module = cls.__module__
        lines += [
            f"### {module.rpartition('.')[2]}:{cls.__name__}",
            "",
            f"`{module}:{cls.__name__}`, options `{signature(cls.run, returns=False)}`",
            "",
            _prose(inspect.getdoc(cls) or ""),
            "",
        ]
    return "\n".join(lines)


def _functions() -> str:
    lines = ["## Runs and tests", "", "### Functions and fixtures", ""]
    for head, function in _public_functions():
        lines += _entry(head, inspect.getdoc(function) or "")
    lines += ["", "### Other names of the package", ""]
    for name in qnetem.__all__:
        if not inspect.isfunction(getattr(qnetem, name)):
            lines += _entry(f"qnetem.{name}", _summary(name))
    lines += ["", "### Keywords", "", _prose(_without_attributes(RunKeywords)), ""]
    described = _described(RunKeywords)
    for name in inspect.get_annotations(RunKeywords):
        lines += _entry(f"{name}{_annotation(RunKeywords, name)}", described[name])
    return "\n".join([*lines, ""])


def _summary(name: str) -> str:
    """The first paragraph on a public name that is no function: of its docstring, or of its `#:` comment."""
    value = getattr(qnetem, name)
    if inspect.isclass(value) or inspect.ismodule(value):
        return (inspect.getdoc(value) or "").partition("\n\n")[0]
    if name == "__version__":
        return "The version that is installed, as text."
    source = inspect.getsource(importlib.import_module(qnetem._HOME[name], "qnetem"))
    comment = re.search(rf"((?:^#: .*\n)+){name}\b", source, re.MULTILINE)
    if not comment:
        raise ValueError(f"qnetem.{name} has no description")
    return comment[1].replace("#: ", "").strip()


def _errors() -> str:
    """The tree of errors, with what each is about."""
    lines = [
        "## Errors",
        "",
        "All are in `qnetem.emulator.errors`; the first is `qnetem.QnetemError` too.",
        "",
    ]

    def add(cls: type, depth: int) -> None:
        summary = _prose((inspect.getdoc(cls) or "").partition("\n\n")[0]).replace("\n", " ")
        lines.append(f"{'  ' * depth}- `{cls.__name__}`: {summary}")
        for below in cls.__subclasses__():
            if below.__module__ == cls.__module__:
                add(below, depth + 1)

    add(qnetem.QnetemError, 0)
    return "\n".join([*lines, ""])


def _public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in qnetem.__all__:
        value = getattr(qnetem, name)
        if inspect.isfunction(value):
            yield f"qnetem.{name}{signature(value)}", value
    for name, cls in (
        ("network", pytest_plugin.RunNetwork),
        ("launch_network", pytest_plugin.LaunchNetwork),
    ):
        yield f"{name}{signature(cls.__call__)}", cls.__call__
