"""The embedded broker's reading of accounts and rules, by plain calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from qnetem.broker.access import Access

pytest.importorskip("amqtt", reason="the embedded broker is amqtt: pip install qnetem[broker]")

from qnetem.broker import embedded


@pytest.mark.parametrize(
    ("allowed", "asked"),
    [
        ("a/b", "a/b"),
        ("a/+", "a/b"),
        ("a/+", "a/+"),
        ("a/#", "a/b/c"),
        ("a/#", "a/+/#"),
        ("a/#", "a/#"),
        ("#", "a"),
        ("+/b", "/b"),
    ],
)
def test_a_filter_covers_what_lies_within_it(allowed: str, asked: str) -> None:
    assert embedded.covers(allowed, asked)


@pytest.mark.parametrize(
    ("allowed", "asked"),
    [
        ("a/b", "a/c"),
        ("a/b", "a/+"),
        ("a/b", "a/#"),
        ("a/+", "a/#"),
        ("a/+", "a"),
        ("a/+", "a/b/c"),
        ("a/+", "#"),
        ("a/#", "#"),
        ("a/#", "+/b"),
        ("a/b", "a/b/c"),
        ("a/b/c", "a/b"),
    ],
)
def test_a_filter_covers_nothing_beyond_it(allowed: str, asked: str) -> None:
    assert not embedded.covers(allowed, asked)


def test_it_reads_what_is_written_for_both_brokers(tmp_path: Path) -> None:
    access = Access.of_run("run", ["alice"])
    access.write(tmp_path)
    assert embedded.read_rules((tmp_path / "acl").read_text()) == {
        ("node.alice", "write"): ["qnetem/v1/run/+/inbox/alice"],
        ("node.alice", "read"): ["qnetem/v1/run/alice/inbox/+"],
        ("observer", "read"): ["qnetem/v1/run/#"],
    }
    hashes = dict(line.split(":", 1) for line in (tmp_path / "passwords").read_text().splitlines())
    assert sorted(hashes) == ["node.alice", "observer", "probe"]
    login = access.node("alice")
    assert embedded.verified(login.password, hashes[login.username])
    assert not embedded.verified(login.password, hashes["observer"])
    assert not embedded.verified(None, hashes[login.username])


def test_what_was_there_before_is_replaced_not_written_through(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "passwords").symlink_to(elsewhere)
    Access([]).write(tmp_path)
    assert elsewhere.read_text() == "mine"
    assert not (tmp_path / "passwords").is_symlink()
