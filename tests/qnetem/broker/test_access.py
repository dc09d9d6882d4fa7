"""Who may do what at a run's broker: told by what arrives, because a denied publish raises nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.agents.process.mqtt import Inbox, inbox_topic
from qnetem.agents.process.settings import BrokerAddress, NodeSettings
from qnetem.api import plan
from qnetem.broker import probe
from qnetem.broker.access import Access, Login, login_from, observed_topic, username
from qnetem.broker.broker import Broker
from qnetem.emulator import wire
from qnetem.emulator.errors import InfrastructureError, InputError
from qnetem.emulator.topology.written.names import NAME_PATTERN
from qnetem.emulator.wire import control
from qnetem.launcher.zygote import Fork
from tests.accounts import LOGIN, open_broker

PATIENCE_S = 20.0
ACCEPTED = b"\x20\x02\x00\x00"
RUN = "metro-20260101-120000-abc123"
#: Names that a careless scheme would mix up: with the observer, with a prefix, with each other.
NODES = ("alice", "alice-2", "alice_2", "Alice", "bob", "observer", "probe", "node")


class Stage:
    """A broker with the accounts of a run."""

    def __init__(self, broker: Broker, access: Access) -> None:
        self.broker, self.access = broker, access

    def client(self, login: Login | None, **options: object) -> aiomqtt.Client:
        name, password = (login.username, login.password) if login else (None, None)
        return aiomqtt.Client(
            self.broker.host,
            self.broker.port,
            username=name,
            password=password,
            timeout=PATIENCE_S,
            **options,  # type: ignore[arg-type]
        )

    def node(self, name: str, **options: object) -> aiomqtt.Client:
        return self.client(self.access.node(name), **options)

    def watcher(self) -> aiomqtt.Client:
        return self.client(self.access.observer)


@asynccontextmanager
async def stage(kind: str, folder: Path) -> AsyncIterator[Stage]:
    access = Access.of_run(RUN, NODES)
    async with Broker(kind, folder / "a broker", access) as broker:
        yield Stage(broker, access)


@pytest.fixture
async def here(broker_kind: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(broker_kind, tmp_path) as ready:
        yield ready


async def arrivals(client: aiomqtt.Client, last: bytes) -> list[tuple[str, bytes]]:
    """What has arrived up to the message `last`: a broker keeps the order of one publisher."""
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not found or found[-1][1] != last:
            message = await anext(client.messages)
            found.append((str(message.topic), bytes(message.payload)))
    return found


async def forge(here: Stage, login: Login, topics: list[str]) -> None:
    """Publish "forged" to the topics, each from a client of its own, and return when that is done.

    mosquitto hangs up on who publishes what it may not, amqtt answers the subscription that follows.
    Either way the broker has seen what came before.
    """
    for topic in topics:
        for retain in (False, True):
            with contextlib.suppress(aiomqtt.MqttError):
                async with here.client(login) as forger:
                    await forger.publish(topic, b"forged", retain=retain)
                    answer = asyncio.ensure_future(forger.subscribe("done"))
                    await asyncio.wait(
                        [answer, forger._disconnected],  # a lost line does not end a subscribe
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    answer.cancel()


async def told_no(client: aiomqtt.Client) -> bool:
    try:
        async with client:
            return False
    except aiomqtt.MqttError:
        return True


# --- nodes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NODES)
async def test_a_node_is_heard_as_itself_and_hears_its_own_inbox(here: Stage, name: str) -> None:
    peer = "bob" if name != "bob" else "alice"
    async with here.node(name) as node, here.node(peer) as other:
        await node.subscribe(inbox_topic(RUN, name, "+"))
        await other.subscribe(inbox_topic(RUN, peer, "+"))
        await node.publish(inbox_topic(RUN, peer, name), b"there")
        await other.publish(inbox_topic(RUN, name, peer), b"back")
        assert await arrivals(other, b"there") == [(inbox_topic(RUN, peer, name), b"there")]
        assert await arrivals(node, b"back") == [(inbox_topic(RUN, name, peer), b"back")]


async def test_what_a_node_publishes_as_another_or_elsewhere_reaches_no_node(here: Stage) -> None:
    elsewhere = [
        inbox_topic(RUN, "bob", "alice-2"),
        inbox_topic(RUN, "bob", "observer"),
        inbox_topic("another-run", "bob", "alice"),
        f"qnetem/v1/{RUN}/bob/inbox/alice/more",
        f"qnetem/v1/{RUN}/bob/inbox",
        f"qnetem/v1/{RUN}/bob/outbox/alice",
    ]
    honest = inbox_topic(RUN, "bob", "alice")
    async with here.node("bob") as bob, here.watcher() as watcher:
        await bob.subscribe(inbox_topic(RUN, "bob", "+"))
        await watcher.subscribe(observed_topic(RUN))
        await forge(here, here.access.node("alice"), elsewhere)
        async with here.node("alice") as alice:
            await alice.publish(honest, b"honest")
        for client in (bob, watcher):
            assert {body for _, body in await arrivals(client, b"honest")} == {b"honest"}


@pytest.mark.parametrize(
    "curious",
    [
        inbox_topic(RUN, "bob", "+"),
        inbox_topic(RUN, "bob", "alice-2"),
        inbox_topic(RUN, "+", "+"),
        observed_topic(RUN),
        "qnetem/#",
        "#",
        "+/+/+/+/+/+",
    ],
)
async def test_who_subscribes_to_anothers_inbox_gets_nothing(here: Stage, curious: str) -> None:
    async with here.node("alice") as alice, here.node("bob") as bob, here.node("alice-2") as third:
        await bob.subscribe(inbox_topic(RUN, "bob", "+"))
        # mosquitto grants the subscription and hands nothing over, amqtt refuses it.
        await alice.subscribe(curious)
        await alice.subscribe(inbox_topic(RUN, "alice", "+"))
        await third.publish(inbox_topic(RUN, "bob", "alice-2"), b"for bob")
        await third.publish(inbox_topic(RUN, "alice", "alice-2"), b"for alice")
        assert [body for _, body in await arrivals(bob, b"for bob")] == [b"for bob"]
        found = {body for _, body in await arrivals(alice, b"for alice")}
        assert found == {b"for alice"}


async def test_a_last_will_speaks_for_no_other_node(here: Stage) -> None:
    forged = aiomqtt.Will(inbox_topic(RUN, "bob", "alice-2"), b"forged")
    async with here.node("bob") as bob:
        await bob.subscribe(inbox_topic(RUN, "bob", "+"))
        with contextlib.suppress(aiomqtt.MqttError):  # amqtt lets no client in that has a will
            async with here.node("alice", will=forged) as alice:
                line = alice._client.socket()
                assert isinstance(line, socket.socket)
                line.shutdown(socket.SHUT_RDWR)  # without the DISCONNECT that would revoke it
        async with here.node("alice") as alice:
            await alice.publish(inbox_topic(RUN, "bob", "alice"), b"honest")
        assert {body for _, body in await arrivals(bob, b"honest")} == {b"honest"}


# --- the observer ---------------------------------------------------------------------------------


async def test_the_observer_hears_everything(here: Stage) -> None:
    async with here.watcher() as watcher, here.node("alice") as alice:
        await watcher.subscribe(observed_topic(RUN))
        for peer in ("bob", "observer"):
            await alice.publish(inbox_topic(RUN, peer, "alice"), peer.encode())
        assert await arrivals(watcher, b"observer") == [
            (inbox_topic(RUN, peer, "alice"), peer.encode()) for peer in ("bob", "observer")
        ]


async def test_what_the_observer_publishes_arrives_nowhere(here: Stage) -> None:
    forged = [inbox_topic(RUN, "bob", source) for source in ("alice", "observer", "probe")]
    honest = inbox_topic(RUN, "bob", "alice")
    async with here.watcher() as watcher, here.node("bob") as bob:
        await watcher.subscribe(observed_topic(RUN))
        await bob.subscribe(inbox_topic(RUN, "bob", "+"))
        await forge(here, here.access.observer, forged)
        async with here.node("alice") as alice:
            await alice.publish(honest, b"honest")
        for client in (bob, watcher):
            assert {body for _, body in await arrivals(client, b"honest")} == {b"honest"}


# --- who gets in ----------------------------------------------------------------------------------


async def test_strangers_are_refused_at_the_door(here: Stage) -> None:
    alice = here.access.node("alice")
    assert not await told_no(here.client(alice))
    for login in (
        None,
        Login(alice.username, ""),
        Login(alice.username, here.access.node("bob").password),
        Login("alice", alice.password),
        Login(here.access.observer.username, alice.password),
        Login("stranger", alice.password),
        Login("", ""),
    ):
        assert await told_no(here.client(login)), login


async def test_the_rules_hold_after_the_broker_was_killed_and_came_back(here: Stage) -> None:
    await here.broker.kill()
    await here.broker.restart()
    assert await told_no(here.client(None))
    await test_what_a_node_publishes_as_another_or_elsewhere_reaches_no_node(here)


async def test_a_nodes_line_cannot_be_taken_by_who_knows_its_name_only(here: Stage) -> None:
    """Who connects with the client id of another takes its place: so it cannot be guessed."""
    address = here.broker.address_of("alice")
    heard = asyncio.Queue[bytes]()
    settings = NodeSettings(RUN, "alice", 1, "token", "s", address, "f")
    inbox = Inbox(
        address,
        RUN,
        "alice",
        settings.client_id,
        lambda payloads: [heard.put_nowait(payload) for _, payload in payloads],
        lambda: None,
    )
    await inbox.open()
    for guess in (f"{RUN}-alice-1", f"{RUN}-alice-1-", "alice"):
        await told_no(here.client(None, identifier=guess))
        await told_no(here.node("bob", identifier=guess))
    async with here.node("bob") as bob:
        await bob.publish(inbox_topic(RUN, "alice", "bob"), b"still here")
        assert await asyncio.wait_for(heard.get(), PATIENCE_S) == b"still here"
    assert inbox.connected
    await inbox.close()


def test_a_client_id_tells_neither_token_nor_another_incarnations() -> None:
    first, second = (
        NodeSettings("run", "alice", number, token, "s", BrokerAddress("h", 1), "f")
        for number, token in ((1, "a" * 32), (2, "b" * 32))
    )
    assert "a" * 8 not in first.client_id
    assert first.client_id.rpartition("-")[2] != second.client_id.rpartition("-")[2]


# --- a stranger at the port of a dead broker ------------------------------------------------------


class Impostor:
    """Listens where the broker did, lets everybody in, and keeps all that it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.came = asyncio.Event()

    @asynccontextmanager
    async def at(self, port: int) -> AsyncIterator[Impostor]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ACCEPTED)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.got += data
                self.came.set()
        writer.close()


async def test_who_takes_the_port_of_a_dead_broker_learns_nothing_usable(here: Stage) -> None:
    heard, back = asyncio.Queue[bytes](), asyncio.Event()
    inbox = Inbox(
        here.broker.address_of("bob"),
        RUN,
        "bob",
        "bob",
        lambda payloads: [heard.put_nowait(payload) for _, payload in payloads],
        back.set,
    )
    await inbox.open()
    before, observer = here.broker.port, here.access.observer
    await here.broker.kill()
    async with Impostor().at(before) as impostor, asyncio.timeout(PATIENCE_S):
        async with here.client(observer):  # a watcher by the port that comes back
            await impostor.came.wait()
        await here.broker.restart()
        await back.wait()
        assert here.broker.port != before
        async with here.node("alice") as alice:
            await alice.publish(inbox_topic(RUN, "bob", "alice"), b"as before")
        assert await heard.get() == b"as before"
    await inbox.close()
    names = [account.encode() for account in map(username, NODES)]
    passwords = [here.access.node(name).password.encode() for name in NODES]
    assert not [secret for secret in (*names, *passwords) if secret in impostor.got]
    assert observer.password.encode() in impostor.got
    assert await told_no(here.client(observer))
    assert not await told_no(here.watcher())


# --- files and texts ------------------------------------------------------------------------------


async def test_the_files_are_their_owners_only_and_hold_no_password(
    broker_kind: str, tmp_path: Path
) -> None:
    async with stage(broker_kind, tmp_path) as here:
        folder = tmp_path / "a broker"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert {name: modes[name] for name in ("passwords", "acl")} == {
            "passwords": 0o600,
            "acl": 0o600,
        }
        secrets = [here.access.node(name).password for name in NODES]
        secrets += [here.access.observer.password, here.access.probe.password]
        assert len({*secrets}) == len(NODES) + 2 and all(len(secret) == 32 for secret in secrets)
        for path in filter(Path.is_file, folder.iterdir()):
            text = path.read_text()
            assert not [secret for secret in secrets if secret in text], path
        command = Path(f"/proc/{here.broker.pid}/cmdline").read_text()
        assert not [secret for secret in secrets if secret in command]


def test_no_text_of_a_login_has_its_password() -> None:
    address = BrokerAddress("h", 1, "node.alice", "hidden")
    settings = NodeSettings("run", "alice", 1, "hidden", "s", address, "f")
    fork, hello = Fork(settings), wire.Hello("alice", 1, "hidden", 1)
    for thing in (Login("node.alice", "hidden"), address, settings, fork, hello):
        assert "alice" in f"{thing!r} {thing}"
        assert "hidden" not in f"{thing!r} {thing}"
    assert "hidden" not in repr(control.Supervise("t", "f", "hidden"))


@given(st.from_regex(NAME_PATTERN, fullmatch=True))
def test_no_name_of_a_node_is_another_account_or_more_than_one_level_of_a_topic(name: str) -> None:
    assert username(name) not in ("observer", "probe")
    assert not set(username(name)) & set("+#/: \n$")


# --- a broker that is there already ---------------------------------------------------------------


async def test_a_login_at_an_external_broker_is_tried_at_the_start(
    broker_kind: str, tmp_path: Path
) -> None:
    no_accounts = Access([])
    async with open_broker(broker_kind, tmp_path / "theirs") as theirs:
        choice = f"127.0.0.1:{theirs.port}"
        for login in (None, Login(LOGIN.username, "wrong")):
            with pytest.raises(InfrastructureError, match="QNETEM_BROKER_USERNAME") as caught:
                await Broker(choice, tmp_path, no_accounts, login=login).start()
            assert "wrong" not in str(caught.value)
        async with Broker(choice, tmp_path, no_accounts, login=LOGIN) as ours:
            assert ours.address_of("alice").password == LOGIN.password
            assert ours.observer_address().password is None


async def test_what_is_no_broker_is_named(tmp_path: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InfrastructureError, match="no MQTT"):
            await probe.check_admits(BrokerAddress("127.0.0.1", port))


@pytest.mark.parametrize("given_one", ["USERNAME", "PASSWORD"])
def test_half_a_login_is_an_error_that_names_the_other_half(given_one: str) -> None:
    with pytest.raises(InputError) as caught:
        login_from({f"QNETEM_BROKER_{given_one}": "hidden"})
    missing = {"USERNAME": "PASSWORD", "PASSWORD": "USERNAME"}[given_one]
    assert f"QNETEM_BROKER_{missing} is not" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_login_comes_from_the_environment_whole_or_not_at_all() -> None:
    assert login_from({}) is None
    both = {"QNETEM_BROKER_USERNAME": "me", "QNETEM_BROKER_PASSWORD": "pw"}
    assert login_from(both) == Login("me", "pw")


@pytest.mark.parametrize("variable", ["USERNAME", "PASSWORD"])
@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is empty"), ("secret\udcff", "is not UTF-8"), ("secret" * 20_000, "has 120000 bytes")],
)
def test_a_login_that_mqtt_cannot_carry_is_named_and_not_shown(
    variable: str, text: str, why: str
) -> None:
    both = {"QNETEM_BROKER_USERNAME": "me", "QNETEM_BROKER_PASSWORD": "pw"}
    with pytest.raises(InputError, match=f"QNETEM_BROKER_{variable} {why}") as caught:
        login_from(both | {f"QNETEM_BROKER_{variable}": text})
    assert "secret" not in str(caught.value)


def test_the_environments_login_is_for_a_broker_that_is_there_already_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QNETEM_BROKER_USERNAME", "me")
    monkeypatch.setenv("QNETEM_BROKER_PASSWORD", "pw")
    topology = "name: one\nnodes: {alice: {kind: repeater}}\n"
    for broker, login in (("h:1", Login("me", "pw")), ("auto", None)):
        planned = plan(
            topology,
            seed=None,
            until=None,
            faults=(),
            in_process=False,
            broker=broker,
            broker_port=None,
            runs_folder="runs",
        )
        assert planned.options.broker_login == login
        assert "pw" not in repr(planned.options)
