"""A broker for tests that are not about who may do what: one account that may say and hear everything."""

from __future__ import annotations

from pathlib import Path

import aiomqtt

from qnetem.agents.process.settings import BrokerAddress
from qnetem.broker.access import Access, Account, Login
from qnetem.broker.broker import Broker

LOGIN = Login("tester", "a test's password")
EVERYTHING = Access([Account(LOGIN, publishes=("#",), reads=("#",))])


def open_broker(choice: str, folder: Path, port: int | None = None) -> Broker:
    """A broker whose only account is `LOGIN`; at one that is there already, this account is used."""
    return Broker(choice, folder, EVERYTHING, port, LOGIN)


def address(broker: Broker) -> BrokerAddress:
    """Where `LOGIN` finds it."""
    return BrokerAddress(broker.host, broker.port, LOGIN.username, LOGIN.password)


def client(broker: Broker, name: str | None = None) -> aiomqtt.Client:
    """A client that is logged in."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=LOGIN.username,
        password=LOGIN.password,
        identifier=name,
        timeout=20,
    )
