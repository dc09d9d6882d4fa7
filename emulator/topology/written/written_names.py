"""Names that YAML reads as something else: a node called `true`, a link called `null`.

Owns where in a file names stand. Rule: a name is the word that was written, in every place alike: as a key,
in `between`, `name` and `hardware`, and as the target of a fault. In `with`, where names cannot be told from
other values, YAML's reading holds.
"""

from __future__ import annotations

from ...faults.kinds import FAULT_KINDS
from .positions import Written

#: Paths to names and lists of names; `*` is any key or index.
_NAMES = (
    ("name",),
    ("defaults", "hardware"),
    ("kinds", "*", "hardware"),
    ("nodes", "*", "hardware"),
    ("links", "*", "name"),
    ("links", "*", "between"),
)
#: Keys of a fault's entry whose values name nodes and links.
_IN_FAULTS = frozenset(FAULT_KINDS) | {
    name
    for kind in FAULT_KINDS.values()
    for name, parameter in kind.parameters.items()
    if parameter.dimension == "node"
}


def names_as_written(root: Written) -> Written:
    """The file with every name outside `faults:` as text."""
    for path in _NAMES:
        root = _named_at(root, path)
    return root


def named_in_fault(entry: Written) -> Written:
    """An entry of `faults:` with every name as text."""
    entries = {
        key: below.named() if key in _IN_FAULTS else below for key, below in entry.entries.items()
    }
    return Written(entries, entry.mark, entry.key_mark)


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
