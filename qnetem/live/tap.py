"""`qnetem tap`: the messages of a run that is under way, one line each.

Owns the watching client and the lines it prints. Does not own the login (broker/observer.py) nor which folder
is meant (runs/run_folder.py).

Rules. It watches with the observer's account, which can publish nothing: a watched run is like any other.
Lines come in the order in which the broker delivers messages, which is real time's; a message that was
published again, because it was lost, is shown again. It ends with the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import aiomqtt
import msgspec

from ..agents.messages import Envelope
from ..agents.process.mqtt import client_of
from ..agents.process.packets import apart
from ..agents.process.settings import BrokerAddress
from ..broker import observer
from ..broker.access import PASSWORD_VARIABLE, USERNAME_VARIABLE, Login, login_from
from ..broker.observer import Observer
from ..emulator.errors import InfrastructureError, InputError
from ..emulator.plain_text import ascii_json, printable
from ..emulator.suggestions import did_you_mean
from ..emulator.wire import UNREADABLE
from ..runs.run_folder import RunFolder

#: A run needs at most so long to start its broker, and to start it again.
PATIENCE_S = 10.0
PAUSE_S = 0.1
#: The time between two looks whether the run is over, and the time for messages still on their way then.
LOOK_S, DRAIN_S = 0.2, 1.0
_LEAST_BODY = 20
_BAD_LOGIN = (4, 5, 134, 135)


class Message(msgspec.Struct):
    """One message as it was seen; `body` is JSON, as it was sent."""

    source: str
    destination: str
    kind: str
    incarnation: int
    seq: int
    body: msgspec.Raw
    port: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which messages are shown: of one of `nodes` (either end), of a kind like one of `kinds`, of a port.

    `ports` are patterns too; "" is the programs' own port.
    """

    nodes: Sequence[str] = ()
    kinds: Sequence[str] = ()
    ports: Sequence[str] = ()

    def takes(self, message: Message) -> bool:
        """Whether a message is shown."""
        ends = (message.source, message.destination)
        if self.nodes and not any(end in self.nodes for end in ends):
            return False
        if self.ports and not any(fnmatchcase(message.port, port) for port in self.ports):
            return False
        return not self.kinds or any(fnmatchcase(message.kind, kind) for kind in self.kinds)


class Tap:
    """A watcher of the run in `folder`. `show` is called for each message that is wanted."""

    def __init__(self, folder: Path, wanted: Wanted, show: Callable[[Message], None]) -> None:
        """Raises InputError when the folder's run has no broker, or no node of a wanted name."""
        if RunFolder(folder).read_facts().get("in_process"):
            raise InputError(f"{folder.name} runs in one process: no broker carries its messages")
        known = RunFolder(folder).read_nodes()
        for name in wanted.nodes:
            if name not in known:
                hint = did_you_mean(name, known)
                raise InputError(f"no node of {folder.name} is called {name!r}{hint}")
        self._folder, self._wanted, self._show = folder, wanted, show
        self._login = login_from(os.environ)
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> None:
        """Watch until the run is over.

        Raises InputError when it is over already, InfrastructureError when its broker cannot be
        reached or refuses us.
        """
        found = await self._under_way()
        if found.over:
            raise InputError(
                f"{self._folder.name} is over; with `record: full` its messages are in "
                f"{RunFolder(self._folder).records}"
            )
        self._keep_login_from_others(found)
        deadline = self._loop.time() + PATIENCE_S
        while not self._over():
            try:
                async with client_of(self._address(found), PATIENCE_S) as client:
                    await client.subscribe(found.topic)
                    deadline = self._loop.time() + PATIENCE_S
                    await self._until_over(client)
            except aiomqtt.MqttError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    # Ctrl-C: a client that cannot say goodbye in time raises this in its place.
                    raise asyncio.CancelledError from error
                if not self._over():  # a broker that died is started again by the run
                    self._refuse(found, error, self._loop.time() > deadline)
                    await asyncio.sleep(PAUSE_S)
                    found = observer.find(self._folder) or found  # with another password

    async def _under_way(self) -> Observer:
        deadline = self._loop.time() + PATIENCE_S
        while (found := observer.find(self._folder)) is None:
            if self._loop.time() > deadline:
                raise InputError(f"{self._folder.name} cannot be watched: its broker never started")
            await asyncio.sleep(PAUSE_S)
        return found

    def _keep_login_from_others(self, found: Observer) -> None:
        """The user's own login goes to an address that this user's run has named, and to no other."""
        if found.username is not None or self._login is None:
            return
        path = RunFolder(self._folder).observer
        if path.stat().st_uid != os.geteuid():
            raise InputError(
                f"{path} belongs to another user: the login of {USERNAME_VARIABLE} is not handed to "
                f"{found.host}:{found.port}, which it names"
            )

    def _over(self) -> bool:
        found = observer.find(self._folder)
        return found is None or found.over

    def _address(self, found: Observer) -> BrokerAddress:
        own = self._login if found.username is None else Login(found.username, found.password or "")
        name, password = (own.username, own.password) if own else (None, None)
        return BrokerAddress(found.host, found.port, name, password, found.socket)

    def _refuse(self, found: Observer, error: Exception, late: bool) -> None:
        where = f"the broker of {self._folder.name} at {self._address(found).where}"
        code = getattr(error, "rc", None)
        # Between a broker's start and the file with its new password the old one is refused.
        final = late or found.username is None
        if final and getattr(code, "value", code) in _BAD_LOGIN:
            text = f"{where} refuses the watcher's login"
            if found.username is None:
                text += f"; name and password come from {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"
            raise InfrastructureError(text) from error
        if late:
            raise InfrastructureError(
                f"{where} cannot be reached ({error}); was the run killed?"
            ) from error

    async def _until_over(self, client: aiomqtt.Client) -> None:
        """Show what comes. Ends with the run; raises MqttError when the connection is lost before."""
        reading = asyncio.ensure_future(self._read(client))
        try:
            while not reading.done() and not self._over():
                await asyncio.wait([reading], timeout=LOOK_S)
            # The run's own broker disconnects when it has delivered everything; an external one does not.
            await asyncio.wait([reading], timeout=DRAIN_S)
            if reading.done():
                await reading
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError, BrokenPipeError):
                await reading

    async def _read(self, client: aiomqtt.Client) -> None:
        async for arrived in client.messages:
            for payload in apart(bytes(arrived.payload)):
                message = read_message(str(arrived.topic), payload)
                if message is not None and self._wanted.takes(message):
                    self._show(message)


def read_message(topic: str, payload: bytes) -> Message | None:
    """A payload for an inbox as a message; None for what is something else."""
    levels = topic.split("/")
    if len(levels) != 6 or levels[4] != "inbox":
        return None
    try:
        envelope = msgspec.json.decode(payload, type=Envelope)
    except UNREADABLE:
        return None
    return Message(
        levels[5],
        levels[3],
        envelope.kind,
        envelope.inc,
        envelope.seq,
        envelope.body,
        envelope.port,
    )


def as_json(message: Message) -> str:
    """One JSON object on one line; what could steer a terminal is escaped in it."""
    line = msgspec.json.format(msgspec.json.encode(message), indent=-1)
    return ascii_json(line.decode(errors="replace"))


class Table:
    """Messages as lines of a table `src -> dst  [port] kind  body`, for `width` columns."""

    def __init__(self, nodes: Sequence[str], width: int) -> None:
        self._name, self._kind = max(map(len, nodes), default=1), 8
        self._width = width

    def line(self, message: Message) -> str:
        """One line; a body that does not fit is cut."""
        kind = printable(message.kind)
        if message.port:
            kind = f"[{printable(message.port)}] {kind}".rstrip()
        self._kind = max(self._kind, len(kind))  # grows: later kinds are not known yet
        # Names come from a topic: at a broker that is not ours any client may have chosen them.
        source, destination = printable(message.source), printable(message.destination)
        head = f"{source:>{self._name}} -> {destination:<{self._name}}  "
        head += f"{kind:<{self._kind}}  "
        room = max(self._width - len(head), _LEAST_BODY)
        body = printable(bytes(message.body)[: 8 * self._width].decode(errors="replace"))
        return head + (body if len(body) <= room else body[: room - 1] + "…")


def tap(
    folder: Path,
    nodes: Sequence[str],
    kinds: Sequence[str],
    ports: Sequence[str],
    form: str,
    width: int,
) -> None:
    """Print the messages of a run to standard output until it is over or Ctrl-C."""
    line = as_json if form == "json" else Table(RunFolder(folder).read_nodes(), width).line

    def show(message: Message) -> None:
        sys.stdout.write(line(message) + "\n")
        sys.stdout.flush()

    async def watch() -> None:
        await Tap(folder, Wanted(nodes, kinds, ports), show).watch()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch())
