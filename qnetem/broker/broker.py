"""The broker of a run: mosquitto, the embedded amqtt, or one that is there already.

Owns which broker serves a run, its addresses, and its life: started, stopped, killed, started again; and the
login with which a node connects. Does not own what the kinds need (kinds.py), who may do what there
(access.py), when it is started again (upkeep.py), nor the messages.

Rules: a broker that is started here serves nodes at a Unix socket in a private folder, and watchers at a port
of 127.0.0.1. While a broker is dead any process may take its port, and learn the login of a client that
connects there: so nodes never do, and the observer's password is another one after each start. The broker
ignores the terminal's Ctrl-C, and ends with the process that started it, even if that is ended by SIGKILL
(Linux). Nodes guarantee delivery, not the broker: it keeps no message on disk, and may be killed and started
again in the middle of a run. It reads its accounts at every start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Self

from ..agents.process.settings import BrokerAddress
from ..emulator.errors import InfrastructureError, InputError
from ..processes.parent_death import dies_with_parent
from ..runs.files import PRIVATE, log_tail, open_log, unwritable
from . import kinds, ports, probe
from .access import LOGIN_VARIABLES, Access, Login

#: A start takes well under a second; a loaded machine gets many times that.
START_TIMEOUT_S = 30.0
#: After SIGTERM a broker has this long before SIGKILL: it has nothing to save.
STOP_TIMEOUT_S = 2.0
#: How many free ports are tried when others take them between our look and the broker's bind.
PORT_ATTEMPTS = 8
POLL_S = 0.02


class _PortTaken(Exception):
    """The port was free when we looked, and is not any more."""


class Broker:
    """A broker for one run; `async with Broker("auto", folder, access) as broker:` starts and stops it.

    Attributes: `kind` ("mosquitto", "amqtt" or "external"), `host`, `port` (0 before the start when it
    is to be picked; another one after a restart if it was taken), `socket_path` (where nodes find it, in
    a folder that is there and private; may be set before the start), `log_path`, and `wanted`: it is
    meant to be running.

    All times are real. The methods belong to one event loop, whose thread must outlive the broker
    (Linux ends the child with the *thread* that started it).
    """

    def __init__(
        self,
        choice: str,
        folder: str | Path,
        access: Access,
        port: int | None = None,
        login: Login | None = None,
    ) -> None:
        """`choice`: "auto", "mosquitto", "amqtt" or "host:port"; "auto" prefers mosquitto.

        `folder` takes configuration, accounts and log, and serves one broker. `port` None picks a free
        one. Both, and `access`, are for brokers that are started here; `login` is for one that is there
        already, whose owner decides what it may do. Raises InputError for a choice that is none of
        these, InfrastructureError when what it names is not installed.
        """
        self.host, self.port = "127.0.0.1", port or 0
        self.wanted = False
        self._kind = kinds.resolve(choice)
        if port is not None and not 0 < port < 65536:
            raise InputError(f"broker port {port}: expected 1 to 65535, or none")
        if self._kind is None:
            if port is not None:
                raise InputError(f"broker {choice!r} has its own port: {port} cannot be asked for")
            self.host, self.port = kinds.parse_address(choice)
        self._fixed_port = port
        self._folder = Path(folder).absolute()
        self.socket_path = str(self._folder / "socket")
        self._access, self._login = access, login
        self._process: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        state = "alive" if self.alive else "down"
        return f"<Broker {self.kind} {self.host}:{self.port} {state} pid={self.pid}>"

    @property
    def kind(self) -> str:
        """ "mosquitto", "amqtt" or "external"."""
        return "external" if self._kind is None else self._kind.name

    @property
    def where(self) -> str:
        """The address at which nodes find it, for people."""
        return self._address(None).where

    @property
    def log_path(self) -> Path:
        """Where the broker's output goes; does not exist for an external one."""
        return self._folder / "broker.log"

    @property
    def pid(self) -> int | None:
        """The broker's process while it runs; None when it is down, or not ours."""
        return self._process.pid if self._process and self.alive else None

    @property
    def alive(self) -> bool:
        """Its process runs. An external broker counts as alive between `start` and `stop`."""
        if self._kind is None:
            return self.wanted
        return self._process is not None and self._process.returncode is None

    def address_of(self, node: str) -> BrokerAddress:
        """Where a node finds this broker, and its login there."""
        return self._address(self._login if self._kind is None else self._access.node(node))

    def address_of_worker(self, number: int) -> BrokerAddress:
        """As `address_of`, for a worker."""
        return self._address(self._login if self._kind is None else self._access.worker(number))

    def observer_address(self) -> BrokerAddress:
        """Where watchers find it now; without a login at a broker that is not ours."""
        return self._address(None if self._kind is None else self._access.observer)

    async def answers(self) -> bool:
        """Whether it accepts a login at this moment; False after 2 s without an answer."""
        return await probe.admits(self._address(self._probing))

    @property
    def _probing(self) -> Login | None:
        return self._login if self._kind is None else self._access.probe

    def _address(self, login: Login | None) -> BrokerAddress:
        name, password = (login.username, login.password) if login is not None else (None, None)
        path = "" if self._kind is None else self.socket_path
        return BrokerAddress(self.host, self.port, name, password, path)

    async def start(self) -> None:
        """Start it and return once it answers MQTT. Starting a running broker does nothing.

        Raises InfrastructureError: a fixed port is busy, it ended early (with the end of its log), it
        does not answer in time; an external address does not answer, or it refuses our login.
        """
        async with self._changing:
            if self.alive:
                return
            if self._kind is None:
                await probe.check_admits(self._address(self._login))
            else:
                port = self._fixed_port
                await self._start_ours(self._kind, port, only=port is not None)
            self.wanted = True

    async def stop(self) -> None:
        """End it, and return when it is gone; an external one is left alone. May be called again."""
        self.wanted = False
        async with self._changing:
            self.wanted = False  # a start may have ended while we waited for our turn
            await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL, for tests and drills; returns when it is gone. It stays `wanted`.

        Raises InfrastructureError for an external broker.
        """
        self._refuse_external("killed")
        async with self._changing:
            await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Start it again after it died or was killed. Errors as `start`.

        At the same socket, and on the port it had, or on another one if that has been taken meanwhile. Does
        nothing while it runs or once it was stopped: the caller may be late by a moment. Raises
        InfrastructureError for an external broker.
        """
        self._refuse_external("restarted")
        async with self._changing:
            if self._kind is not None and self.wanted and not self.alive:
                self._access.renew_observer()
                await self._start_ours(self._kind, self.port)

    async def wait(self) -> int:
        """Wait until the process ends, asked or not; its status as of `Popen.returncode`.

        Raises InfrastructureError if it was never started. Waits for ever on an external broker,
        which is not ours to watch.
        """
        if self._kind is None:
            await asyncio.Event().wait()
        if self._process is None:
            raise InfrastructureError(f"the broker ({self.kind}) was never started")
        return await self._process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- starting ---------------------------------------------------------------------------------

    async def _start_ours(self, kind: kinds.Kind, first: int | None, only: bool = False) -> None:
        """Start it at the port `first`, or at one that is free; with `only`, at no other."""
        for _ in range(PORT_ATTEMPTS):
            port = ports.free_port() if first is None else first
            try:
                if not ports.is_free(port):
                    raise _PortTaken
                await self._start_at(kind, port)
            except _PortTaken:
                if only:
                    raise InfrastructureError(
                        f"port {port} on {self.host} is in use, so the broker ({kind.name}) cannot "
                        "have it; stop what listens there, or leave the port to qnetem"
                    ) from None
                first = None
            else:
                self.port = port
                return
        raise InfrastructureError(
            f"{PORT_ATTEMPTS} free ports in a row were taken by others before the broker had them"
        )

    async def _start_at(self, kind: kinds.Kind, port: int) -> None:
        """One attempt at one port. Raises _PortTaken or InfrastructureError; then nothing is left."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._access.write(self._folder)
            place, name = os.path.split(self.socket_path)
            command = dies_with_parent(kind.command(self._folder, port, name))
            log = self._open_log(f"{kind.name} is to serve 127.0.0.1:{port}\n")
        except OSError as error:
            raise InfrastructureError(unwritable(self._folder, error)) from error
        try:
            log_start = os.fstat(log).st_size
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,  # at its end of file the embedded broker ends
                stdout=log,
                stderr=log,
                process_group=0,  # the terminal's Ctrl-C is for the launcher only
                env={name: os.environ[name] for name in os.environ if name not in LOGIN_VARIABLES},
                cwd=place,
                umask=0o077,
            )
        except OSError as error:
            raise InfrastructureError(f"the broker ({kind.name}) cannot run: {error}") from error
        finally:
            os.close(log)
        try:
            await self._until_ready(kind, log_start)
            os.chmod(self.socket_path, PRIVATE)  # mosquitto lets its group in
        except BaseException:
            await self._end(signal.SIGKILL)
            raise

    def _open_log(self, first_line: str) -> int:
        """The log, with a line of ours: so a full disk is an error here, not a log without its lines."""
        log = open_log(self.log_path)
        try:
            os.write(log, first_line.encode())
        except OSError:
            os.close(log)
            raise
        return log

    async def _until_ready(self, kind: kinds.Kind, log_start: int) -> None:
        """Return when the broker that we started answers at its socket, and knows its accounts.

        It answers there only once it has its port, too: else it ends.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    self._refuse_ended(kind, log_start)
                    if await self.answers():
                        return
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise InfrastructureError(
                f"the broker ({kind.name}) did not answer at {self.socket_path} within "
                f"{START_TIMEOUT_S:g} s{log_tail(self.log_path, log_start)}"
            ) from None

    def _refuse_ended(self, kind: kinds.Kind, log_start: int) -> None:
        status = self._process.returncode if self._process else None
        if status is None:
            return
        log = self._log_since(log_start)
        if "in use" in log:
            raise _PortTaken
        raise InfrastructureError(
            f"the broker ({kind.name}) ended at once, with status {status}{kinds.remedy(log)}"
            f"{log_tail(self.log_path, log_start)}"
        )

    # --- ending -----------------------------------------------------------------------------------

    async def _end(self, sign: signal.Signals) -> None:
        """Signal the process and reap it; after STOP_TIMEOUT_S, or when cancelled, by SIGKILL."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sign)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise

    def _refuse_external(self, what: str) -> None:
        if self._kind is None:
            raise InfrastructureError(
                f"the broker at {self.host}:{self.port} is not ours and cannot be {what}"
            )

    def _log_since(self, start: int) -> str:
        with self.log_path.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")
