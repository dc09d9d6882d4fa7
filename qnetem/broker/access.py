"""The accounts of a run's broker, and what each may publish and read.

Owns the accounts and the two files in which a broker reads them. Does not own who uses an account (the
launcher gives a node its own, observer.py publishes the observer's), nor the checks: those are the broker's.

Rules. No client is anonymous. A node publishes as itself only, and reads its own inbox only (a worker does so
for its nodes); the observer
reads everything of its run and publishes nothing. Passwords are random, 128 bits, new in every run; the files
hold hashes of them. Both kinds of broker read the same two files, in mosquitto's formats.

A hash is one salted SHA-512 (`$6$`, read by mosquitto 1.6 to 2.1). Slow hashes exist for passwords that
can be guessed; 128 random bits cannot, and with a hundred nodes a slow one is paid a hundred times.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..emulator.errors import InputError
from ..runs.files import write_whole

OBSERVER, PROBE = "observer", "probe"
#: The login at a broker that is there already; both or none.
USERNAME_VARIABLE, PASSWORD_VARIABLE = "QNETEM_BROKER_USERNAME", "QNETEM_BROKER_PASSWORD"
LOGIN_VARIABLES = (USERNAME_VARIABLE, PASSWORD_VARIABLE)
PASSWORDS_FILE, RULES_FILE = "passwords", "acl"
_PASSWORD_BYTES = 16
#: The length of an MQTT string has two bytes.
_LONGEST_WORD = 65_535
#: mosquitto 1.6 knows no other length.
_SALT_BYTES = 12


@dataclass(frozen=True)
class Login:
    """A name and a password; the password is in no text that a Login turns into."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Account:
    """A login, and the topic filters that it may publish to and read from."""

    login: Login
    publishes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def rules(self) -> str:
        """This account's part of the file of rules."""
        lines = [f"user {self.login.username}"]
        lines += [f"topic write {topic}" for topic in self.publishes]
        lines += [f"topic read {topic}" for topic in self.reads]
        return "\n".join(lines) + "\n"


class Access:
    """The accounts of one broker. Attribute: `probe`, a login that may do nothing."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        #: Without rights: with it the launcher sees that the broker is up.
        self.probe = _new_login(PROBE)
        every = [*accounts, Account(self.probe)]
        self._accounts = {account.login.username: account for account in every}

    @classmethod
    def of_run(
        cls, run_id: str, nodes: Iterable[str], workers: Sequence[Sequence[str]] = ()
    ) -> Access:
        """One account for each node, and the observer's. Passwords come from the system.

        `workers`: the nodes of each worker, which has one account for all of them. No node has one then.
        """
        sharing = {worker_username(number): each for number, each in enumerate(workers, 1)}
        users = sharing or {username(node): [node] for node in nodes}
        accounts = [
            Account(
                _new_login(user),
                publishes=tuple(f"qnetem/v1/{run_id}/+/inbox/{node}" for node in each),
                reads=tuple(f"qnetem/v1/{run_id}/{node}/inbox/+" for node in each),
            )
            for user, each in users.items()
        ]
        accounts.append(Account(_new_login(OBSERVER), reads=(observed_topic(run_id),)))
        return cls(accounts)

    def node(self, node: str) -> Login:
        """The login of a node, the same for all its incarnations (docs/architecture.md says why)."""
        return self._accounts[username(node)].login

    def worker(self, number: int) -> Login:
        """The login of a worker."""
        return self._accounts[worker_username(number)].login

    @property
    def observer(self) -> Login:
        """The login of watchers."""
        return self._accounts[OBSERVER].login

    def renew_observer(self) -> None:
        """Give watchers another password; the old one is refused from the next start on."""
        account = self._accounts.get(OBSERVER)
        if account is not None:
            renewed = Account(_new_login(OBSERVER), account.publishes, account.reads)
            self._accounts[OBSERVER] = renewed

    def write(self, folder: Path) -> None:
        """Write both files, readable by their owner only. Raises OSError."""
        logins = [account.login for account in self._accounts.values()]
        hashes = "".join(f"{login.username}:{_hashed(login.password)}\n" for login in logins)
        rules = "\n".join(account.rules() for account in self._accounts.values())
        write_whole(folder / PASSWORDS_FILE, hashes.encode())
        write_whole(folder / RULES_FILE, rules.encode())


def login_for(choice: str, environment: Mapping[str, str]) -> Login | None:
    """The login at a broker that is not ours, from the environment: argv can be seen by every user.

    None for a broker that is started here: only an address has a colon. Errors as of `login_from`.
    """
    return login_from(environment) if ":" in choice else None


def login_from(environment: Mapping[str, str]) -> Login | None:
    """The two variables as a login. Raises InputError when one of them is not set, or no MQTT string."""
    name, password = environment.get(USERNAME_VARIABLE), environment.get(PASSWORD_VARIABLE)
    if name is None and password is None:
        return None
    if name is None or password is None:
        missing, present = USERNAME_VARIABLE, PASSWORD_VARIABLE
        if name is not None:
            missing, present = present, missing
        raise InputError(f"{present} is set and {missing} is not: a broker's login needs both")
    for variable, text in ((USERNAME_VARIABLE, name), (PASSWORD_VARIABLE, password)):
        _check_word(variable, text)
    return Login(name, password)


def _check_word(variable: str, text: str) -> None:
    """Raise InputError for what MQTT cannot carry; the text is not shown, it may be a password."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InputError(f"{variable} is not UTF-8, which MQTT asks for") from None
    if not 0 < length <= _LONGEST_WORD:
        how = "is empty" if not length else f"has {length} bytes"
        raise InputError(f"{variable} {how}: expected 1 to {_LONGEST_WORD} bytes")


def username(node: str) -> str:
    """A node's name at the broker. No node's name has a dot, so none is taken for the observer."""
    return f"node.{node}"


def worker_username(number: int) -> str:
    """A worker's name at the broker."""
    return f"worker.{number}"


def observed_topic(run_id: str) -> str:
    """What the observer subscribes to."""
    return f"qnetem/v1/{run_id}/#"


def _new_login(name: str) -> Login:
    return Login(name, os.urandom(_PASSWORD_BYTES).hex())


def _hashed(password: str) -> str:
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.sha512(password.encode() + salt).digest()
    return "$".join(["", "6", *(base64.b64encode(part).decode() for part in (salt, digest))])
