"""Contacts: with several nodes at once, where links lead to each of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.agents.contacts import Contacts, at_once, next_contact, planned
from qnetem.emulator.errors import LinkError
from qnetem.emulator.wire import LinkInfo

MOMENTS = st.lists(st.integers(0, 60), unique=True, max_size=12).map(sorted)


def plan_of(moments: list[int]) -> Contacts:
    return list(zip(moments[::2], moments[1::2], strict=False))


def inside(contacts: Contacts, moment: float) -> bool:
    return any(begin < moment < end for begin, end in contacts)


def link(name: str, peer: str, contacts: list[int] | None) -> LinkInfo:
    known = {"name": name, "peer": peer, "contacts": contacts}
    return LinkInfo(**{field: known.get(field, 0) for field in LinkInfo.__struct_fields__})


@given(MOMENTS, MOMENTS)
def test_at_once_is_where_both_are(first: list[int], second: list[int]) -> None:
    one, other = plan_of(first), plan_of(second)
    both = at_once(one, other)
    for moment in range(60):
        half = moment + 0.5
        assert inside(both, half) is (inside(one, half) and inside(other, half))
    assert both == sorted(both) and at_once(other, one) == both


def test_links_that_stay_limit_nothing() -> None:
    links = [link("a", "near", None), link("b", "far", [10, 20]), link("c", "moon", [15, 30])]
    assert planned(links, ["near", "stranger"], None) is None
    assert planned(links, ["near", "far"], None) == [(10, 20)]
    assert planned(links, ["far", "moon"], None) == [(15, 20)]
    # a second link that stays is always there
    assert planned([*links, link("d", "far", None)], ["far"], None) is None
    assert planned([*links, link("d", "far", None)], ["far"], "b") == [(10, 20)]
    assert planned([*links, link("d", "far", [18, 40])], ["far"], None) == [(10, 40)]


def test_the_next_contact_has_room() -> None:
    contacts = [(10, 20), (40, 90)]
    assert next_contact("sat", ["a"], contacts, 0) == (10, 20)
    assert next_contact("sat", ["a"], contacts, 15, 5) == (15, 20)
    assert next_contact("sat", ["a"], contacts, 15, 6) == (40, 90)
    assert next_contact("sat", ["a"], contacts, 20) == (40, 90)
    with pytest.raises(LinkError, match="no more contacts are planned between them"):
        next_contact("sat", ["a"], contacts, 90)
    with pytest.raises(LinkError, match="no common pass of a and b is planned any more"):
        next_contact("sat", ["a", "b"], contacts, 0, 51)
    with pytest.raises(LinkError, match="at no time that is planned does sat see all of them"):
        next_contact("sat", ["a", "b"], [], 0)
