from __future__ import annotations

import pytest

from qnetem import Secret
from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.facades.paths import facade_of
from qnetem.agents.keys.facades.skip import answered, call_of, refused
from qnetem.agents.keys.facades.unknown import Unknown

ID = "0123456789abcdef0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"
REMOTE = [("remoteSystemID", "app-b")]


def test_each_request_of_the_draft_is_a_call() -> None:
    assert call_of("GET", "/capabilities", [], b"") == {"call": "peers", "arguments": {}}
    assert call_of("GET", "/key", REMOTE, b"") == {
        "call": "enc_keys",
        "arguments": {"slave": "app-b"},
    }
    sized = call_of("GET", "/key", [*REMOTE, ("size", "512")], b"")
    assert sized["arguments"] == {"slave": "app-b", "size": 512}
    found = call_of("GET", f"/key/{ID.upper()}", REMOTE, b"")
    assert found == {"call": "dec_keys", "arguments": {"master": "app-b", "ids": [UUID]}}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/key", [], 400),
        ("/key", [*REMOTE, *REMOTE], 400),
        ("/key", [*REMOTE, ("size", "-8")], 400),
        ("/key/k1", REMOTE, 400),
        ("/entropy", [], 503),
    ],
)
def test_what_cannot_be_served_has_the_status_of_the_draft(
    path: str, query: list[tuple[str, str]], status: int
) -> None:
    with pytest.raises(Denied) as denied:
        call_of("GET", path, query, b"")
    assert refused(denied.value)["status"] == status


def test_paths_tell_the_interfaces_apart() -> None:
    assert [facade_of(path) for path in ("/key", "/key/x", "/keys", "/api/v1/keys/b/status")] == [
        "skip", "skip", "etsi014", "etsi014",
    ]  # fmt: skip
    for path in ("/key/a/b", "/capabilities/x", "/other"):
        with pytest.raises(Unknown):
            call_of("GET", path, REMOTE, b"")
    with pytest.raises(Unknown) as known:
        call_of("POST", "/key", REMOTE, b"")
    assert known.value.allowed == ("GET",)


def test_replies_are_those_of_the_draft() -> None:
    key = Secret(bytes(range(32)), id=UUID)
    assert answered([key])["body"] == {"keyId": ID, "key": bytes(range(32)).hex()}
    body = answered({"local": "app-a", "remote": ["app-b"]})["body"]
    assert body == {
        "entropy": False, "key": True, "algorithm": "QKD",
        "localSystemID": "app-a", "remoteSystemID": ["app-b"],
    }  # fmt: skip
