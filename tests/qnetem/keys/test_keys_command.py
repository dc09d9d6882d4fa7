"""`qnetem keys serve` as a user starts it; and `kill -9` of all of it."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qnetem.cli.main import app
from qnetem.keys.certificates import Certificates
from qnetem.keys.serving import free_ports

from ... import counts
from ...agents.keys.sites import Waits, ran, two_sites
from .clients import Client, eventually

COMMAND = Path(sys.executable).with_name("qnetem")


def written(folder: Path) -> Path:
    source = two_sites(link={"bits": 1 << 14})
    for node in source["nodes"].values():
        node["program"], node["with"] = "qnetem.agents.keys.site:Site", {}
    file = folder / "sites.yaml"
    file.write_text(json.dumps(source), encoding="utf-8")
    return file


class Service:
    """A service that runs; what it printed."""

    def __init__(self, file: Path, port: int, process: subprocess.Popen[str], page: list[str]):
        self.process, self.page, self.port = process, page, port
        self._certificates = Certificates(file.with_name("sites-certificates"))
        self.slave = self.client("app-b")

    def client(self, application: str) -> Client:
        port = self.port if application == "app-a" else self.port + 1
        certificate, key = self._certificates.application(application)
        authority = str(self._certificates.authority)
        return Client(f"https://127.0.0.1:{port}", authority, (str(certificate), str(key)))


@contextmanager
def serving(file: Path) -> Iterator[Service]:
    while True:  # two that follow each other
        (port,) = free_ports(1)
        if port < 65535:
            break
    command = [
        COMMAND,
        "keys",
        "serve",
        file,
        "--port",
        str(port),
        "--store",
        file.with_name("store"),
    ]
    process = subprocess.Popen(
        [*command, "--runs-folder", file.with_name("runs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(120.0, process.kill)
    watchdog.start()
    try:
        page: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            page.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        assert page and page[-1].startswith("Ctrl-C"), page
        yield Service(file, port, process, page)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.mark.processes
@pytest.mark.campaign
def test_a_service_that_is_killed_continues_with_its_store_and_loses_no_key(tmp_path: Path) -> None:
    draw, file = random.Random(4), written(tmp_path)
    waiting: dict[str, Any] = {}  # a master has it, and its slave has not asked yet
    done: set[str] = set()
    for _ in range(counts.count(20, 20)):
        with serving(file) as service:
            for id, key in waiting.items():
                assert fetched(service, id) == (200, {"keys": [key]}), "lost"
            assert all(fetched(service, id)[0] == 400 for id in sorted(done)[-20:]), "twice"
            assert all(fetched(service, id)[0] == 400 for id in waiting), "delivered twice"
            done |= set(waiting)
            waiting = {}
            killer = threading.Timer(draw.uniform(0.3, 1.5), service.process.kill)
            killer.start()
            use(service, waiting, done)
            killer.join()
            assert service.process.wait(30) == -signal.SIGKILL
    with serving(file) as service:
        (curl,) = [line for line in service.page if line.startswith("curl ")]
        body = eventually(lambda: (200, curled(curl)) if curled(curl) else (503, None), 200)
        assert set(body["keys"][0]) == {"key_ID", "key"}
        os.kill(service.process.pid, signal.SIGINT)
        assert service.process.wait(30) == 0, "Ctrl-C is how it ends"
    listed = CliRunner().invoke(
        app, ["keys", "list", "latest", "--runs-folder", str(tmp_path / "runs"), "--format", "json"]
    )
    assert listed.exit_code == 0, listed.output
    alice, bob = json.loads(listed.output)["sites"]
    assert alice["trail"] == bob["trail"] == "whole"
    had = [each["key"] for each in bob["entries"] if each["what"] == "delivered"]
    assert len(had) == len(set(had)) and set(had) >= done


def fetched(service: Service, id: str) -> tuple[int, Any]:
    return service.slave.post("app-a/dec_keys", {"key_IDs": [{"key_ID": id}]})


def use(service: Service, waiting: dict[str, Any], done: set[str]) -> None:
    """Two keys for the master, one of them for the slave, until the service is gone."""
    import requests

    master = service.client("app-a")
    try:
        while True:
            status, body = master.post("app-b/enc_keys", {"number": 2})
            if status == 503:
                continue
            one, other = body["keys"]
            assert one["key_ID"] not in waiting.keys() | done
            waiting[other["key_ID"]] = other
            # if no answer comes, only the service knows whether it has been delivered
            status, body = fetched(service, one["key_ID"])
            if status == 503:  # it is about to go: the key is still there for its next life
                waiting[one["key_ID"]] = one
                continue
            assert (status, body) == (200, {"keys": [one]})
            done.add(one["key_ID"])
    except requests.RequestException:
        return


def curled(line: str) -> Any:
    answer = subprocess.run(line.split(), capture_output=True, text=True, timeout=30, check=True)
    body = json.loads(answer.stdout)
    return body if "keys" in body else None


def test_certificates_are_made_once_and_for_the_sites_and_applications_of_the_file(
    tmp_path: Path,
) -> None:
    file, runner = written(tmp_path), CliRunner()
    made = runner.invoke(app, ["keys", "certs", str(file)])
    assert made.exit_code == 0, made.output
    found = {path.relative_to(tmp_path / "sites-certificates").as_posix(): path.stat().st_mode & 0o077
             for path in (tmp_path / "sites-certificates").rglob("*.*")}  # fmt: skip
    assert set(found.values()) == {0} and set(found) == {
        "ca.pem",
        *(f"sites/{name}.{kind}" for name in ("alice", "bob") for kind in ("pem", "key", "kek")),
        *(f"applications/app-{name}.{kind}" for name in "abc" for kind in ("pem", "key")),
    }
    again = runner.invoke(app, ["keys", "certs", str(file)])
    assert again.exit_code == 2 and "exists already" in again.output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = runner.invoke(app, ["keys", "serve", str(file), "--port", port])
        assert busy.exit_code == 2 and "Address already in use" in busy.output
    (tmp_path / "sites-certificates" / "sites" / "bob.kek").chmod(0o644)
    serve = ["keys", "serve", str(file), "--port", str(free_ports(1)[0])]
    read = runner.invoke(app, [*serve, "--store", str(tmp_path / "store")])
    assert read.exit_code == 2 and "others may read" in read.output
    file.write_text("name: x\nnodes: {alice: {}, bob: {}}\n", encoding="utf-8")
    none = runner.invoke(app, ["keys", "serve", str(file)])
    assert none.exit_code == 2 and "no key service" in none.output


def test_the_list_says_which_application_had_which_key_and_where_a_trail_is_broken(
    tmp_path: Path,
) -> None:
    import sqlite3

    run = ran(tmp_path, two_sites(use={"keys": 2}))
    runner, arguments = CliRunner(), ["keys", "list", str(run.run_folder)]
    page = runner.invoke(app, arguments)
    assert page.exit_code == 0, page.output
    assert "audit trail of alice: " in page.output and page.output.count("app-a") == 1 + 8
    with sqlite3.connect(run.run_folder / "stores" / "bob.keys.sqlite") as store:
        store.execute("UPDATE audit SET facts = '{}' WHERE number = 3")
    store.close()
    broken = runner.invoke(app, [*arguments, "--format", "json"])
    assert broken.exit_code == 1 and json.loads(broken.output)["sites"][1]["trail"] == (
        "broken at entry 3"
    )
    other = ran(tmp_path, {"name": "none", "nodes": {"alice": {"program": Waits}}})
    assert runner.invoke(app, ["keys", "list", str(other.run_folder)]).exit_code == 2
