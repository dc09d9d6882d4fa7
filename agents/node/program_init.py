"""Whether a program's `__init__` can be called: by the node alone, and as `Agent`'s wants it.

Owns the checks of a class that need no instance, so that they come before anything starts. Does not own what
`__init__` does else: it runs as part of the program's first step (node.py), and fails there like any code.

Rule: only what must fail is refused. A class without an `__init__` of its own has none that could be wrong.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...emulator.errors import ProgramError

if TYPE_CHECKING:
    from ..agent import Agent

_AS_AGENT = (
    "options are arguments of run(), and `def __init__(self, node)` calls super().__init__(node)"
)


def check_init(program: type[Agent], root: type[Agent]) -> None:
    """Raises ProgramError, with class, file and line; `root` is Agent itself."""
    for cls in program.__mro__:
        if cls is root:
            return
        init = vars(cls).get("__init__")
        if inspect.isfunction(init):
            _check_signature(cls, init)
            _check_body(cls, init, root)
            if not issubclass(
                cls, root
            ):  # a mixin's: whether it calls the next is its own business
                return


def _check_signature(cls: type, init: Any) -> None:
    try:
        inspect.signature(init).bind(object(), object())
    except TypeError as error:
        taken = ", ".join(list(inspect.signature(init).parameters)[1:]) or "nothing"
        raise _refused(
            cls, init, f"takes {taken}, but is called with the node alone ({error}): {_AS_AGENT}"
        ) from error


def _check_body(cls: type, init: Any, root: type[Agent]) -> None:
    """Agent's `__init__` must be called, and before what it makes is used."""
    if issubclass(cls, root) and "__init__" not in init.__code__.co_names:
        raise _refused(cls, init, f"never calls super().__init__(node): {_AS_AGENT}")
    words = {name for name in dir(root) if not name.startswith("__")} | _OWN
    for name, line in _used_before(init, words):
        raise _refused(
            cls, init, f"uses self.{name} before super().__init__(node), which makes it", line
        )


#: What `Agent.__init__` sets on an agent.
_OWN = {"_node", "name", "incarnation", "rng", "memory", "log"}


def _used_before(init: Any, words: set[str]) -> Iterator[tuple[str, int]]:
    """(word, line) of an agent that `__init__` reads before the call of the next `__init__`."""
    try:
        lines, first = inspect.getsourcelines(init)
        function = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError):  # made at run time, such as a dataclass's
        return
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        return
    itself = function.args.args[0].arg
    inside = [node for statement in function.body for node in _executed(statement)]
    calls = [_place(node) for node in inside if _is_init(node)]
    for node in sorted((node for node in inside if _reads(node, itself, words)), key=_place):
        if calls and _place(node) < min(calls):
            assert isinstance(node, ast.Attribute)
            yield node.attr, first + node.lineno - 1


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement, but for those inside functions that it only defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _executed(child)


def _is_init(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__init__"


def _reads(node: ast.AST, itself: str, words: set[str]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == itself
        and node.attr in words
        and node.attr != "__init__"
    )


def _place(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _refused(cls: type, init: Any, why: str, line: int = 0) -> ProgramError:
    code = init.__code__
    file, line = code.co_filename, line or code.co_firstlineno
    if file.startswith("<"):  # a dataclass's: where the class is
        try:
            file, line = inspect.getsourcefile(cls) or file, inspect.getsourcelines(cls)[1]
        except (OSError, TypeError):
            pass
    return ProgramError(f"{cls.__name__}.__init__ {why} ({file}, line {line})")
