"""Two TLS 1.3 endpoints whose pre-shared keys come from a key network, while its fibre is cut and mended.

    python topologies/keys/tls_psk.py

The network has two sites 50 km apart and serves ETSI GS QKD 014 on loopback, in real time. For each session
the TLS client asks its site for a new key, as app-a, and names it by its id; the TLS server fetches the key
with that id from the other site, as app-b. Both endpoints are openssl(1): `s_client` and `s_server`. openssl
takes a key on its command line, where other users of the machine can read it: this shows an interface, and
protects nothing.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from qnetem.testing import KeyNetwork, key_network

PATIENCE_S = 30.0


def network() -> dict:
    """Blocks of a second of light, by rate; a classical link beside the fibre, which no cut strikes."""
    link = {"program": "qnetem.agents.protocols.qkd.key_link:KeyLink"}
    common = {"link": "fibre", "capacity": 100_000}
    keys = {
        "program": "qnetem.agents.keys.key_service:KeyService",
        "needs": ["link"],
        "with": {
            "sources": ["link"],
            "high": 100_000,
            "applications": {"app-a": {"site": "alice"}, "app-b": {"site": "bob"}},
        },
    }
    sends = {"peer": "bob", "interval": "1 s", "z": 0.7, **common}
    source = {"rate": "100 MHz", "intensities": [0.5, 0.15, 1e-3], "probabilities": [0.7, 0.2, 0.1]}
    detector = {
        "efficiency": 0.3,
        "dark_count_rate": "100 Hz",
        "dead_time": "20 ns",
        "gate": "1 ns",
    }
    site = "qnetem.agents.keys.site:Site"
    return {
        "name": "tls-psk",
        "nodes": {
            "alice": {
                "program": site,
                "source": source,
                "services": {"link": {**link, "with": sends}, "keys": keys},
            },
            "bob": {
                "program": site,
                "detector": detector,
                "services": {"link": {**link, "with": {"peer": "alice", **common}}, "keys": keys},
            },
        },
        "links": [
            {
                "name": "fibre",
                "between": ["alice", "bob"],
                "quantum": {"length": "50 km", "depolarising": 0.02},
            },
            {"name": "network", "between": ["alice", "bob"], "classical": {"latency": "2 ms"}},
        ],
    }


def ask(keys: KeyNetwork, application: str, path: str) -> list[dict] | None:
    """The keys in a site's answer; None if it is 503."""
    context = ssl.create_default_context(cafile=keys.authority)
    context.load_cert_chain(*keys.certificate(application))
    try:
        url = f"{keys.url(application)}/api/v1/keys/{path}"
        with urllib.request.urlopen(url, context=context, timeout=PATIENCE_S) as answer:
            return json.load(answer)["keys"]
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return None


def bits(key: dict) -> bytes:
    """Of a key in an answer."""
    return base64.b64decode(key["key"])


def new_key(keys: KeyNetwork) -> tuple[str, bytes, bytes] | None:
    """The id of a new key, and its bytes as each endpoint has them; None without one."""
    found = ask(keys, "app-a", "app-b/enc_keys?number=1&size=256")
    if found is None:
        return None
    (fetched,) = ask(keys, "app-b", f"app-a/dec_keys?key_ID={found[0]['key_ID']}") or []
    return found[0]["key_ID"], bits(found[0]), bits(fetched)


def session(identity: str, client: bytes, server: bytes, text: str) -> str | None:
    """Send a line over a TLS session; what the server has got, None if there was no session."""
    port = _free_port()
    common = ["-tls1_3", "-psk_identity", identity, "-ciphersuites", "TLS_AES_128_GCM_SHA256"]
    serving = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-naccept", "1",
         *common, "-psk", server.hex()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        while serving.stdout.readline().strip() != "ACCEPT":
            if serving.poll() is not None:
                raise RuntimeError("openssl s_server has ended")
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-no_ign_eof",
             *common, "-psk", client.hex()],
            input=text + "\n", capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        got, _ = serving.communicate(timeout=PATIENCE_S)
    finally:
        serving.kill()
        serving.wait()
    return text if done.returncode == 0 and text in got.splitlines() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(keys: KeyNetwork) -> tuple[str, bytes, bytes]:
    """A new key, as soon as there is one."""
    ends = time.monotonic() + PATIENCE_S
    while (found := new_key(keys)) is None:
        if time.monotonic() > ends:
            raise TimeoutError("no key")
        threading.Event().wait(0.1)
    return found


def use_up(keys: KeyNetwork) -> None:
    """Take what is in stock."""
    while ask(keys, "app-a", "app-b/enc_keys?number=8&size=2048") is not None:
        pass
    while ask(keys, "app-a", "app-b/enc_keys?number=1&size=256") is not None:
        pass


def demonstrate(keys: KeyNetwork, say: Callable[[str], object] = print) -> list[str]:
    """Sessions before a cut, none without keys, sessions after it. Returns the ids of their keys."""
    used = []

    def talk(when: str) -> None:
        identity, client, server = eventually(keys)
        text = f"hello {when}"
        assert session(identity, client, server, text) == text
        used.append(identity)
        say(f"{when}: a session under key {identity}")

    talk("before the cut")
    talk("before the cut, another key")
    keys.fault({"cut": "fibre", "for": "4 s"})
    use_up(keys)
    assert new_key(keys) is None
    say("the fibre is cut and the stock used up: 503, no session")
    talk("after the cut")
    identity, client, server = eventually(keys)
    other = bytes([server[0] ^ 1]) + server[1:]
    assert session(identity, client, other, "hello") is None
    say("with another key at one end: no session")
    return used


def main() -> None:
    """The demonstration."""
    if shutil.which("openssl") is None:
        sys.exit("openssl is not installed")
    with (
        tempfile.TemporaryDirectory() as folder,
        key_network(Path(folder), source=network()) as keys,
    ):
        demonstrate(keys)


if __name__ == "__main__":
    main()
