"""Random campaigns: two ends never both report success with different results, whatever happens between them.

`make test` runs a tenth of them, `make campaign` all (tests/counts.py); how many came to a confirmed end
stands at the end of pytest's report. A campaign is repeated by its name, e.g.
`QNETEM_FULL=1 pytest tests/campaigns -k harsh-chain-17`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import CONFIRMED
from tests.counts import count

from .campaign import as_processes, in_process, judge
from .networks import FAMILIES, HARSH, NETWORKS, TOPOLOGIES, WITHOUT_PROTOCOL, fitting

pytestmark = pytest.mark.campaign
CAMPAIGNS = {"harsh": count(200), "any": count(100, 20)}
#: Whether that is the full count: a part of it says little of shares.
FULL = CAMPAIGNS["harsh"] == 200
#: The part of all runs of a protocol that both ends must confirm: else they would prove nothing.
SHARE = 0.5
#: And of those on one network, if there are enough of them to say.
SHARE_OF_ONE, ENOUGH = 0.3, 9

Drawn = tuple[str, str, int]
DRAWN: list[Drawn] = [
    (family, list(NETWORKS)[at % len(NETWORKS)], at // len(NETWORKS))
    for family, campaigns in CAMPAIGNS.items()
    for at in range(campaigns)
]
#: All of the full count run as processes too, of fewer a part: each costs seconds.
APART = DRAWN if FULL else DRAWN[::6]
#: Some of those over the embedded broker.
EMBEDDED = DRAWN[6::24]


def each(drawn: list[Drawn]) -> pytest.MarkDecorator:
    names = ["-".join(map(str, one)) for one in drawn]
    return pytest.mark.parametrize(("family", "name", "seed"), drawn, ids=names)


@cache
def alone(family: str, name: str, seed: int) -> tuple[str, list[str], frozenset[str]]:
    """(digest, statuses, what struck) of a campaign in one process."""
    network = NETWORKS[name]
    ended = in_process(network.campaign(seed, family))
    struck = {fault.verb for fault in ended.outcome.faults if fault.began_ns is not None}
    return ended.digest, judge(ended, network), frozenset(struck)


@each(DRAWN)
def test_a_campaign_leaves_results_that_agree_and_nothing_else_and_repeats_itself(
    family: str, name: str, seed: int, record_property: Callable[[str, object], None]
) -> None:
    digest, statuses, _ = alone(family, name, seed)
    record_property(CONFIRMED, [family, name, statuses])
    assert in_process(NETWORKS[name].campaign(seed, family)).digest == digest


@pytest.mark.processes
@each(APART)
def test_a_campaign_is_the_same_with_processes(
    family: str, name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = NETWORKS[name]
    broker = "amqtt" if (family, name, seed) in EMBEDDED else "auto"
    ended = as_processes(network.campaign(seed, family), tmp_path, broker)
    assert (ended.digest, judge(ended, network)) == alone(family, name, seed)[:2]


@pytest.mark.parametrize("family", FAMILIES)
def test_campaigns_strike_and_a_good_part_is_confirmed_all_the_same(family: str) -> None:
    drawn = [one for one in DRAWN if one[0] == family]
    if not FULL:
        drawn = drawn[: len(NETWORKS)]
    statuses = {name: Counter[str]() for name in NETWORKS}
    for one in drawn:
        statuses[one[1]].update(alone(*one)[1])
    of_all = sum(statuses.values(), Counter[str]())
    assert of_all["confirmed+confirmed"] >= SHARE * of_all.total(), statuses
    assert len(of_all) > 1, statuses
    for name, found in statuses.items():
        if found.total() >= ENOUGH:
            assert found["confirmed+confirmed"] >= SHARE_OF_ONE * found.total(), (name, found)
    struck = [alone(*one)[2] for one in drawn]
    assert sum(bool(verbs) for verbs in struck) >= 0.9 * len(drawn)
    if FULL:
        assert frozenset().union(*struck) == set(FAMILIES[family])


def test_all_topologies_whose_ends_converse_are_under_campaigns() -> None:
    files = {path.stem for path in TOPOLOGIES.glob("*.yaml")}
    assert files - set(WITHOUT_PROTOCOL) <= set(NETWORKS)
    assert set(WITHOUT_PROTOCOL) <= files


def test_each_kind_of_fault_is_in_a_campaign_of_some_network() -> None:
    met = {verb for network in NETWORKS.values() for verb in fitting(network, "any")}
    assert met == set(FAMILIES["any"]) > set(HARSH)
