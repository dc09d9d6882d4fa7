"""Contacts of a node with others: when it sees one of them, or several at once.

Owns what follows from the plans that a node's links have. Does not own the plans (emulator/places.py) nor
what waits for them (`Agent.contact`).

Rule: a link that stays has no contacts and is always there, so it limits none of the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..emulator.errors import LinkError
from ..emulator.wire import LinkInfo

#: Begin and end of each contact in ns, in order.
Contacts = list[tuple[int, int]]


def planned(links: Iterable[LinkInfo], peers: Sequence[str], link: str | None) -> Contacts | None:
    """When the links lead to all of `peers` at once; None: always, as far as anything is planned.

    `link`: of those to a peer, only the one of that name counts, if there is one.
    """
    found: Contacts | None = None
    every = list(links)
    for peer in peers:
        own = _with(every, peer, link)
        if own is not None:
            found = own if found is None else at_once(found, own)
    return found


def at_once(first: Contacts, second: Contacts) -> Contacts:
    """The stretches that lie in a contact of either plan."""
    found, mine, its = [], 0, 0
    while mine < len(first) and its < len(second):
        begin_ns = max(first[mine][0], second[its][0])
        end_ns = min(first[mine][1], second[its][1])
        if begin_ns < end_ns:
            found.append((begin_ns, end_ns))
        if first[mine][1] <= second[its][1]:
            mine += 1
        else:
            its += 1
    return found


def next_contact(
    name: str, peers: Sequence[str], contacts: Contacts, now_ns: int, room_ns: int = 0
) -> tuple[int, int]:
    """The contact that lasts, or the next one, as long as `room_ns` are left of it: from when, until when.

    Raises LinkError when no more are planned.
    """
    for begin_ns, end_ns in contacts:
        since_ns = max(now_ns, begin_ns)
        if end_ns > since_ns and end_ns - since_ns >= room_ns:
            return since_ns, end_ns
    raise LinkError(node=name, peer=" and ".join(peers), why=_why(name, peers, contacts))


def _why(name: str, peers: Sequence[str], contacts: Contacts) -> str:
    if len(peers) < 2:
        return "no more contacts are planned between them"
    several = " and ".join(peers)
    if contacts:
        return f"no common pass of {several} is planned any more"
    return f"no common pass of {several}: at no time that is planned does {name} see all of them"


def _with(links: list[LinkInfo], peer: str, link: str | None) -> Contacts | None:
    ends = [each for each in links if each.peer == peer and link in (None, each.name)]
    plans = [each.contacts for each in ends if each.contacts is not None]
    if not plans or len(plans) < len(ends):
        return None
    every = sorted(pair for each in plans for pair in zip(each[::2], each[1::2], strict=True))
    found: Contacts = []
    for begin_ns, end_ns in every:
        if found and begin_ns <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_ns))
        else:
            found.append((begin_ns, end_ns))
    return found
