"""Faults of nodes: killed, restarted, paused, with a wrong clock, or eavesdropping on a link.

Owns the order of steps by which a process is killed, stopped or started again without losing what it has
sent, the clocks that are wrong, and what a paused node has missed. Does not own which fault happens when
(faults/), nor the instants (world.py). No I/O: what the launcher must do is in the
outbox (qnetem/launcher/launcher.py).

Rules. Before a process is killed or stopped, each receiver of what it has sent confirms that the payloads
are in its buffer; a receiver that is stopped itself runs for that moment. Time stands until a killed process
is reaped and a started one has said Hello. What is due to a paused node waits, and one grant hands it over
when the node is resumed: messages, arrivals and results in the order in which they came, then timers. A
process that a signal has stopped finds them like that.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kernel.conductor import FAULT, Entry
from ..wire import Settle, Skew
from ..wire.control import Freeze, Kill, Spawn, Thaw
from .nodes import NodeStatus
from .run import Run

#: Steps of faults come after whatever begins or heals in that instant.
_STEP = 1 << 40


class NodeFaults:
    """The world as faults see it (faults/base.py: `Breakable`). `never_grant(node)`: it runs no more."""

    def __init__(self, run: Run, never_grant: Callable[[str], None]) -> None:
        self.classical, self.quantum = run.classical, run.quantum
        self._nodes, self._conductor, self._journal = run.nodes, run.conductor, run.journal
        self._barrier, self._outbox = run.barrier, run.outbox
        self._never_grant = never_grant
        #: Node -> fault -> how it puts the clock wrong; and the nodes whose next grant carries that.
        self._skews: dict[str, dict[str, Skew]] = {}
        self.unsent: dict[str, None] = {}
        #: Link -> fault -> who takes its light.
        self._taps: dict[str, dict[str, str]] = {}

    # --- processes ---

    def kill(self, node: str, restart_ns: int | None) -> None:
        """Settle what the node has sent, kill its process, and plan its restart."""
        status = self._nodes[node]
        if not status.alive:
            self._journal.event(node, "already dead", status.incarnation)
            return
        self._settle(status, lambda: self._kill_now(status, restart_ns))

    def restart(self, node: str, after_ns: int) -> None:
        """Start a dead node again after that time; kill a living one first."""
        status = self._nodes[node]
        if status.alive:
            self.kill(node, after_ns)
        elif status.state == "killed":
            status.state = "starting"
            self._plan_restart(status, after_ns)
        else:
            self._journal.event(node, "already starting", status.incarnation)

    def pause(self, node: str, signal: bool) -> int:
        """The node takes part in no instant until it is resumed; with `signal` its process is stopped."""
        status = self._nodes[node]
        if not status.alive:
            self._journal.event(node, "already dead", status.incarnation)
            return 0
        status.paused += 1
        self._journal.event(node, "paused", status.incarnation)
        self.quantum.pause(node)
        if signal and not status.frozen:
            self._settle(status, lambda: self._freeze(status))
        return status.incarnation

    def resume(self, node: str, incarnation: int) -> None:
        """One pause less; after the last one the node gets what it has missed."""
        status = self._nodes[node]
        if status.incarnation != incarnation or not status.paused:
            return
        status.paused -= 1
        if status.paused:
            return
        self._journal.event(node, "resumed", incarnation)
        self.quantum.resume(node)
        if status.frozen:
            status.frozen = False
            self._outbox.append(("", Thaw(node, incarnation)))
        if status.missed:
            status.missed = False
            self._conductor.wake(node)

    def _settle(self, status: NodeStatus, then: Callable[[], None]) -> None:
        """Do `then` once all that the node has sent is in its receivers' buffers."""
        node, thawed = status.name, []
        # A payload travels by MQTT, apart from the grant that names it: once the sender is dead nothing can
        # publish it again, so it must be in its receiver's buffer before.
        for to, seqs in self.classical.undelivered(node, status.incarnation).items():
            if to == node:
                continue
            receiver = self._nodes[to]
            if receiver.frozen:
                thawed.append(receiver)
                self._outbox.append(("", Thaw(to, receiver.incarnation)))
            self._barrier.add("have", to)
            self._outbox.append((to, Settle(node, status.incarnation, seqs)))

        def settled() -> None:
            for receiver in thawed:
                self._outbox.append(("", Freeze(receiver.name, receiver.incarnation)))
            then()

        self._barrier.afterwards(settled)

    def _freeze(self, status: NodeStatus) -> None:
        status.frozen = True
        self._outbox.append(("", Freeze(status.name, status.incarnation)))

    def _kill_now(self, status: NodeStatus, restart_ns: int | None) -> None:
        self._barrier.add("exit", status.name)
        self._outbox.append(("", Kill(status.name, status.incarnation)))
        self._barrier.afterwards(lambda: self._killed(status, restart_ns))

    def _killed(self, status: NodeStatus, restart_ns: int | None) -> None:
        # The state first: what the planes drop below is dropped for a node that takes nothing any more. The
        # incarnation last: all of it is still journalled under the dead one.
        node = status.name
        status.state = "starting" if restart_ns is not None else "killed"
        status.ended_ns = self._conductor.now_ns
        status.awaited = status.frozen = status.missed = False
        status.paused = 0
        self._journal.event(node, "killed", status.incarnation)
        self.quantum.node_died(node, status.incarnation)
        self._never_grant(node)
        status.incarnation += 1
        if restart_ns is not None:
            self._plan_restart(status, restart_ns)

    def _plan_restart(self, status: NodeStatus, after_ns: int) -> None:
        due_ns = self._conductor.now_ns + after_ns
        order = (-1, status.name)
        self._conductor.at(due_ns, order, lambda: self._start(status), FAULT)

    def _start(self, status: NodeStatus) -> None:
        node = status.name
        status.started = status.incarnation
        self._barrier.add("hello", node)
        self._outbox.append(("", Spawn(node, status.incarnation)))

        def joined() -> None:
            self._journal.event(node, "restarted", status.incarnation)
            status.begin_anew()
            self.quantum.node_joined(node, status.incarnation)
            self.unsent.pop(node, None)
            self._conductor.wake(node)

        self._barrier.afterwards(joined)

    # --- eavesdroppers ---

    def tap(self, link: str, key: str, node: str) -> None:
        """The node takes the light that the link's ends send to each other; the latest tap counts."""
        taps = self._taps.setdefault(link, {})
        taps[key] = node
        self.quantum.tap(link, list(taps.values()))

    def untap(self, link: str, key: str) -> None:
        """The tap of this key is over."""
        taps = self._taps.get(link, {})
        if taps.pop(key, None) is not None:
            self.quantum.tap(link, list(taps.values()))

    # --- clocks ---

    def skew(self, node: str, key: str, offset_ns: int, rate_ppb: int) -> None:
        """The node's clock is wrong from now on; skews of several keys add up."""
        now_ns = self._conductor.now_ns
        self._skews.setdefault(node, {})[key] = Skew(now_ns, offset_ns, rate_ppb)
        self._send_clock(node)

    def unskew(self, node: str, key: str) -> None:
        """The skew of this key is over: the clock jumps by as much as it was wrong."""
        if self._skews.get(node, {}).pop(key, None) is not None:
            self._send_clock(node)

    def clock(self, node: str) -> list[Skew]:
        """How the node's clock is wrong at this moment."""
        return list(self._skews.get(node, {}).values())

    def take_clock(self, node: str) -> list[Skew] | None:
        """The same if it has changed since the last grant; else None."""
        if node not in self.unsent:
            return None
        del self.unsent[node]
        return self.clock(node)

    # --- steps of a fault that lasts ---

    def after(self, delay_ns: int, key: str, action: Callable[[], None]) -> Entry:
        """A fault's next step; see `Breakable`."""
        return self._conductor.at(self._conductor.now_ns + delay_ns, (_STEP, key), action, FAULT)

    def note(self, entity: str, kind: str, *fields: object) -> None:
        """A step of a fault, for the journal."""
        self._journal.event(entity, kind, *fields)

    def _send_clock(self, node: str) -> None:
        self.unsent[node] = None
        if self._nodes[node].runs:
            self._conductor.wake(node)
