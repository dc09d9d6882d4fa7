"""docs/reference.md names every public word with its signature, and is what the code says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import qnetem
from qnetem import pytest_plugin
from qnetem.agents.agent import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.agents.roles.repeater import Repeater
from qnetem.agents.service import Service, is_offered
from qnetem.api import RunKeywords

from .reference import PROGRAM_CLASSES, REFERENCE, RUN_CLASSES, programs, reference

CLASSES = PROGRAM_CLASSES | RUN_CLASSES


@pytest.fixture(scope="module")
def page() -> str:
    return REFERENCE.read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    found = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{len(found)} sections {title}"
    return str(found[0])


def head_of(text: str, word: str) -> str:
    """What stands between backticks and begins with the word."""
    head = rf"`((?:await )?{re.escape(word)}(?!\w)[^`]*)`"
    found = re.search(rf"^- {head}", text, re.MULTILINE) or re.search(head, text)
    assert found, f"{word} is not on the page"
    return found[1]


def public_words(cls: type) -> set[str]:
    """Attributes by another way than the page's: `dir`, and what `__init__` sets."""
    source = inspect.getsource(cls)
    begun = source.partition("def __init__(")[2].partition("\n    def ")[0]
    words = {*dir(cls), *inspect.get_annotations(cls), *re.findall(r"self\.(\w+)[:,]? ", begun)}
    plain = {*dir(tuple), *dir(type("Plain", (), {}))}
    if cls is Agent:
        words.discard("run")
    if cls is Eavesdropper:
        words -= set(dir(Agent))
    if issubclass(cls, Service):
        words = {word for word in words if is_offered(cls, word)}
    return {word for word in words - plain if not word.startswith("_")}


def takes(head: str, function: Callable[..., Any]) -> None:
    """All parameters of the function are in its head, with their defaults."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        assert re.search(rf"\b{parameter.name}\b", head), f"{head}: {parameter.name}"
        if isinstance(parameter.default, (int, float)):
            assert f"{parameter.name}: {parameter.annotation} = {parameter.default}" in head


def test_the_page_is_what_the_code_says(page: str) -> None:
    assert page == reference(), "make docs"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_public_attribute_is_named_with_its_signature(cls: type, page: str) -> None:
    text = section(page, cls.__name__)
    for word in sorted(public_words(cls)):
        head = head_of(text, f"{CLASSES[cls]}.{word}")
        value = inspect.getattr_static(cls, word, None)
        if inspect.isfunction(value):
            takes(head, value)
            assert head.startswith("await ") is inspect.iscoroutinefunction(value)


def test_every_public_name_of_the_package_is_on_the_page(page: str) -> None:
    for name in qnetem.__all__:
        value = getattr(qnetem, name)
        if inspect.isfunction(value):
            takes(head_of(section(page, "Functions and fixtures"), f"qnetem.{name}"), value)
        else:
            assert head_of(section(page, "Other names of the package"), f"qnetem.{name}")


def test_the_keywords_of_runs_and_fixtures_are_on_the_page(page: str) -> None:
    text = section(page, "Keywords")
    for name in inspect.get_annotations(RunKeywords):
        assert head_of(text, name).startswith(f"{name}: ")
    text = section(page, "Functions and fixtures")
    takes(head_of(text, "network"), pytest_plugin.RunNetwork.__call__)
    takes(head_of(text, "launch_network"), pytest_plugin.LaunchNetwork.__call__)


def test_the_options_of_every_program_that_comes_along_are_on_the_page(page: str) -> None:
    assert Repeater in programs()
    for cls in programs():
        text = section(page, f"{cls.__module__.rpartition('.')[2]}:{cls.__name__}")
        takes(text, cls.run)
