"""Latencies that are below light's time, as `qnetem validate` warns of them."""

from __future__ import annotations

import pytest

from qnetem.emulator.closed_forms import fibre_latency_ns
from qnetem.emulator.topology.model.topology import Classical, LinkSpec, Quantum
from qnetem.faster_than_light import faster_than_light

from ..harness import idle, network

FAR_NS = fibre_latency_ns(1000.0)


def link(
    first: str, second: str, latency_ns: int | None, fibre_km: float | None = None, name: str = ""
) -> LinkSpec:
    return LinkSpec(
        name=name or f"{first}-{second}",
        ends=(first, second),
        quantum=None if fibre_km is None else Quantum(length_km=fibre_km),
        classical=None if latency_ns is None else Classical(latency_ns=latency_ns),
    )


def told(*links: LinkSpec) -> list[str]:
    return faster_than_light(network(dict.fromkeys(("a", "b", "c"), idle), links))


FOUND = "messages between a and b take {}, and light 4.896721 ms: they are faster than light"


@pytest.mark.parametrize(
    ("links", "takes"),
    [
        ([link("a", "b", FAR_NS - 1, 1000.0)], "4.89672 ms"),
        ([link("a", "b", None, 1000.0), link("a", "b", 1000, name="beside")], "1 us"),
        ([link("a", "b", FAR_NS, 1000.0), link("a", "c", 1000), link("c", "b", 2000)], "3 us"),
        ([link("a", "b", 0, 1000.0), link("a", "b", 0, 1001.0, "longer")], "0 ns"),
    ],
)
def test_a_way_of_messages_that_is_shorter_than_lights_is_told_once(
    links: list[LinkSpec], takes: str
) -> None:
    assert told(*links) == [FOUND.format(takes)]


@pytest.mark.parametrize(
    "links",
    [
        [link("a", "b", FAR_NS, 1000.0)],
        [link("a", "b", None, 1000.0)],
        [link("a", "b", 0), link("b", "c", 0, 0.0)],
        [link("a", "b", 0, 1000.0), link("a", "c", 0, 0.0), link("c", "b", 0, 0.0)],
    ],
    ids=["as fast", "none", "no length", "a shorter fibre"],
)
def test_what_light_can_do_is_no_matter(links: list[LinkSpec]) -> None:
    assert told(*links) == []
