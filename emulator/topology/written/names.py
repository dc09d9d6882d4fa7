"""Names: which ones are allowed, and where they stand in a file.

Owns the rule for the names of nodes and links, what an error says of an unknown one, what "./file.py:Name" is
seen from a folder, and names that YAML reads as something else: a node called `true`, a link called `null`.

Rules. A name can stand in an MQTT topic, in a link's name `a-b` and in a pair's name `a-b#3@a` without being
mistaken. Nodes and links share one namespace with the words in RESERVED: metrics and the journal call them by
bare names. A name is the word that was written, in every place alike; in `with`, where names cannot be told
from other values, YAML's reading holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ...suggestions import did_you_mean
from ...units import quoted
from .positions import Written

#: Regular expression (ECMA dialect too, for the JSON Schema) of a name.
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*$"
NAME_LENGTH = 64
#: A link is called after its two ends unless it says otherwise.
LINK_NAME_LENGTH = 2 * NAME_LENGTH + 1
NAME_RULE = "a letter, then letters, digits and _, with single - between them"

#: First parts of metrics, and an entity of the journal, that belong to the run as a whole.
RESERVED = ("faults", "links", "messages", "time")

_NAME = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))


def name_problem(name: str, length: int = NAME_LENGTH) -> str | None:
    """What is wrong with a name, or None."""
    if _NAME.fullmatch(name) is None:
        return f"{shown(name)} cannot be a name: expected {NAME_RULE}"
    if len(name) > length:
        return f"{shown(name)} is too long for a name: expected at most {length} characters"
    return None


def reserved_problem(name: str) -> str | None:
    """What is wrong with a node or link of that name, or None."""
    if name not in RESERVED:
        return None
    return (
        f"{shown(name)} is a word of qnetem's own in metrics and the journal: expected another name"
    )


def default_link_name(first: str, second: str) -> str:
    """The name of a link that does not give itself one."""
    return f"{first}-{second}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: `; did you mean 'r1'?`, or what there is."""
    choices = list(known)
    if hint := did_you_mean(word, choices):
        return hint
    if not choices:
        return "; there are none"
    listed = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"; expected one of {listed}" if len(choices) > 1 else f"; expected {listed}"


def absolute(name: str, folder: Path) -> str:
    """`./file.py:Name` with an absolute path, seen from `folder`; "module:Name" as it is."""
    file, _, what = name.rpartition(":")
    return f"{os.path.abspath(folder / file)}:{what}" if file.endswith(".py") else name


def shown(value: object) -> str:
    """A value as an error quotes it: short, and in the words of YAML."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value)


# --- names that YAML reads as something else ---------------------------------------------------

#: Paths to names and lists of names; `*` is any key or index.
_NAMES = (
    ("name",),
    ("defaults", "hardware"),
    ("kinds", "*", "hardware"),
    ("nodes", "*", "hardware"),
    ("links", "*", "name"),
    ("links", "*", "between"),
)


def names_as_written(root: Written) -> Written:
    """The file with every name outside `faults:` as text."""
    for path in _NAMES:
        root = _named_at(root, path)
    return root


def _named_at(here: Written, path: tuple[str, ...]) -> Written:
    if not path:
        return here.named()
    step, rest = path[0], path[1:]
    if isinstance(here.value, dict):
        entries = {
            key: _named_at(below, rest) if step in ("*", key) else below
            for key, below in here.value.items()
        }
        return Written(entries, here.mark, here.key_mark, here.word)
    if isinstance(here.value, list) and step == "*":
        items = [_named_at(item, rest) for item in here.value]
        return Written(items, here.mark, here.key_mark, here.word)
    return here
