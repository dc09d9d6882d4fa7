"""What is allowed in a topology and probably not meant."""

from __future__ import annotations

from typing import Any

import pytest

from qnetem.api import prepare
from qnetem.checks import warnings

EVE = "qnetem.agents.roles.eavesdropper:InterceptResend"
LINK = {"between": ["alice", "bob"], "length": "1 km"}


def warned(nodes: dict[str, Any], *links: dict[str, Any]) -> list[str]:
    ends: dict[str, Any] = {"alice": {}, "bob": {}}
    return warnings(prepare({"name": "n", "nodes": ends | nodes, "links": [LINK, *links]}))


def eavesdropper(**settings: Any) -> dict[str, Any]:
    options = {"program": EVE, "with": {"first": "alice", "second": "bob"}, "service": True}
    return {"kind": "eavesdropper", **options, **settings}


def test_an_eavesdropper_without_links_is_no_island() -> None:
    assert warned({"eve": eavesdropper()}) == []


@pytest.mark.parametrize("linked", [True, False])
def test_an_eavesdropper_without_a_program_is_warned_of(linked: bool) -> None:
    links = [{"between": ["eve", "bob"], "length": "1 km"}] if linked else []
    [warning] = warned({"eve": {"kind": "eavesdropper"}}, *links)
    assert warning == "an eavesdropper without a `program` takes nothing: eve"


def test_nodes_that_no_link_leads_to_are_warned_of_beside_an_eavesdropper() -> None:
    [warning] = warned({"carol": {}, "eve": eavesdropper()})
    assert warning.endswith("messages between them are lost: alice, bob; carol")
