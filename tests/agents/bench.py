"""One node on a bench: grants and payloads in, reports and publishes out."""

from __future__ import annotations

import io
from typing import Any

from qnetem.agents.guards import guards
from qnetem.agents.messages import body_hash, encode_body, seal
from qnetem.agents.node.node import Node
from qnetem.emulator.wire import Delivery, Grant, Report, Welcome

from .. import harness

guards.install()


class Bench:
    """A node called bob, with peers alice and carol, and what a shell would do for it."""

    def __init__(self, program: harness.Script | str, slots: int = 4) -> None:
        spec = harness.node("bob", program)
        self.log = io.StringIO()
        self.node = Node(
            Welcome(
                "bob", 1, "endpoint", spec.program, spec.options, False, [1, 2, 3, 4],
                ["alice", "carol"], [], slots, 0,
            ),
            self.log,
        )  # fmt: skip

    def grant(self, t_ns: int = 0, m: int = 0, **due: Any) -> Report | None:
        """Its report; None if it waits for payloads."""
        self.node.receive(Grant(t_ns, m, **due))
        return self.report()

    def report(self) -> Report | None:
        frames = self.node.outbox[:]
        self.node.outbox.clear()
        if not frames:
            return None
        (only,) = frames
        assert isinstance(only, Report), only
        return only

    def ran(self, t_ns: int = 0, m: int = 0, **due: Any) -> Report:
        report = self.grant(t_ns, m, **due)
        assert report is not None
        return report

    def payload(self, src: str, seq: int, body: Any = None, kind: str = "") -> None:
        self.node.payload(src, seal(seq, 1, kind, encode_body(body)))


def delivery(src: str, seq: int, body: Any = None, damage: tuple[int, ...] = ()) -> Delivery:
    return Delivery(src, 1, seq, 0, body_hash(encode_body(body)), 0, list(damage))
