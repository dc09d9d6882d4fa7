"""access.jsonl: the connections that the emulator has refused.

Owns that file of the run folder; it is made with the first refusal. Does not own the decision (world.py
and server.py).

Rule: a file of its own, not a kind of event in the journal. A refused connection comes at a real time
of its own: in the journal, two runs of one seed would no longer compare line by line,
and the digest would no longer be of all that a reader sees there. No token is written, right or wrong.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..wire import Hello, run_files

#: Characters of a claim that are written.
_LONGEST = 200
#: So many are noted: a process that comes back again and again shall not fill the disk.
MOST_NOTED = 10_000
_CREDENTIALS = struct.Struct("3i")


class Refusal(msgspec.Struct, omit_defaults=True):
    """One line. `pid` and `uid` are the kernel's, `node` and `incarnation` what the connection claimed."""

    time: str
    why: str
    node: str = ""
    incarnation: int = 0
    pid: int = 0
    uid: int = -1


class Refusals:
    """The lines of one run. Attribute: `full`, so many are noted that no more will be."""

    def __init__(self, run_folder: str) -> None:
        self._path = run_files.refusals(run_folder)
        self._noted = 0
        self.full = False

    def add(self, peer: socket.socket | None, claim: Hello | None, why: str) -> None:
        """Note that a connection was refused, now, in real time; nothing once it is `full`."""
        if self.full:
            return
        self._noted += 1
        self.full = self._noted >= MOST_NOTED
        if self.full:
            why = f"{why[: _LONGEST // 2]} (no more than {MOST_NOTED} are noted)"
        refusal = Refusal(datetime.now(tz=UTC).isoformat(timespec="milliseconds"), why[:_LONGEST])
        if claim is not None:
            refusal.node, refusal.incarnation = claim.node[:_LONGEST], claim.incarnation
        if peer is not None and hasattr(socket, "SO_PEERCRED"):
            data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            refusal.pid, refusal.uid, _ = _CREDENTIALS.unpack(data)
        # In ASCII: a claimed name may hold what steers a terminal, and tools show these lines as they are.
        line = json.dumps(msgspec.to_builtins(refusal), separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab", buffering=0) as file:
            file.write(line)


def count_refusals(run_folder: Path) -> int:
    """How many connections were refused in a run."""
    try:
        return len(run_files.refusals(run_folder).read_bytes().splitlines())
    except FileNotFoundError:
        return 0
