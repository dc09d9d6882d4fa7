"""An application as a client of its site."""

from __future__ import annotations

import time
from typing import Any

from qnetem.testing import KeyNetwork


class Client:
    """An application at its site. `certificate`: the files of its certificate and private key."""

    def __init__(self, url: str, authority: str, certificate: tuple[str, str] | None) -> None:
        import requests

        self.session = requests.Session()
        self.session.trust_env = False  # else the environment says which authorities count
        self.session.verify, self.session.cert = authority, certificate
        self.base = f"{url}/api/v1/keys"

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        answer = self.session.get(f"{self.base}/{path}", params=query, timeout=30)
        return answer.status_code, answer.json()

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self.session.post(f"{self.base}/{path}", json=body, timeout=30)
        return answer.status_code, answer.json()


def client(keys: KeyNetwork, application: str) -> Client:
    """That of an application of a network."""
    return Client(keys.url(application), keys.authority, keys.certificate(application))


def eventually(ask: Any, wanted: int) -> Any:
    """Ask until the answer has the status that is wanted."""
    ends = time.monotonic() + 30
    while True:
        status, body = ask()
        if status == wanted:
            return body
        assert status in (200, 503) and time.monotonic() < ends, (status, body)
        time.sleep(0.05)
