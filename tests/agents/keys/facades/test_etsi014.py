from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from qnetem import Secret
from qnetem.agents.keys.denied import NOT_MULTIPLE, NOT_SUPPORTED, Denied
from qnetem.agents.keys.facades.etsi014 import answered, call_of, refused
from qnetem.agents.keys.facades.unknown import Unknown

KEYS = "/api/v1/keys/"


def call(method: str, path: str, *query: tuple[str, str], body: Any = None) -> dict[str, Any]:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return call_of(method, KEYS + path, list(query), data)


def test_each_request_of_the_standard_is_a_call() -> None:
    assert call("GET", "app%2Db/status") == {"call": "status", "arguments": {"slave": "app-b"}}
    enc = {"slave": "b", "additional": []}
    assert call("GET", "b/enc_keys")["arguments"] == enc
    assert call("POST", "b/enc_keys")["arguments"] == enc, "an empty body has defaults"
    assert call("GET", "b/enc_keys", ("number", "3"), ("size", "512"))["arguments"] == {
        **enc,
        "number": 3,
        "size": 512,
    }
    body = {
        "number": 2,
        "size": None,
        "additional_slave_SAE_IDs": ["c"],
        "extension_optional": [{}],
    }
    found = call("POST", "b/enc_keys", body=body)["arguments"]
    assert found == {"slave": "b", "number": 2, "additional": ["c"]}
    assert call("GET", "a/dec_keys", ("key_ID", "x"))["arguments"] == {"master": "a", "ids": ["x"]}
    ids = {"key_IDs": [{"key_ID": "x"}, {"key_ID": "y"}]}
    assert call("POST", "a/dec_keys", body=ids)["arguments"]["ids"] == ["x", "y"]


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "message"),
    [
        ("GET", "b/enc_keys", [("size", "many")], None, "size is no number"),
        ("GET", "b/enc_keys", [("size", "8"), ("size", "8")], None, "'size' does not fit"),
        ("GET", "b/enc_keys", [("extension", "8")], None, "'extension' does not fit"),
        ("POST", "b/enc_keys", [], b"{", "no JSON"),
        ("POST", "b/enc_keys", [], b"\xff", "no JSON"),
        ("POST", "b/enc_keys", [], b"[" * 100_000, "no JSON"),
        ("POST", "b/enc_keys", [], [1], "no JSON object"),
        ("POST", "b/enc_keys", [], {"size": "256"}, NOT_MULTIPLE),
        ("POST", "b/enc_keys", [], {"number": True}, "number is no whole number"),
        ("POST", "b/enc_keys", [], {"extension_mandatory": [{"x": 1}]}, NOT_SUPPORTED),
        ("POST", "b/enc_keys", [], {"additional_slave_SAE_IDs": "c"}, "no list of ids"),
        ("GET", "a/dec_keys", [], None, "no list of objects"),
        ("POST", "a/dec_keys", [], {"key_IDs": ["x"]}, "no list of objects"),
    ],
)
def test_a_request_that_is_none_is_a_bad_one(
    method: str, path: str, query: list[tuple[str, str]], body: Any, message: str
) -> None:
    with pytest.raises(Denied, match=message) as denied:
        call(method, path, *query, body=body)
    assert denied.value.status == 400


def test_other_paths_and_methods_are_told_apart() -> None:
    for path in ("b", "b/keys", "/enc_keys", "b/enc_keys/more", ""):
        with pytest.raises(Unknown) as unknown:
            call("GET", path)
        assert not unknown.value.allowed
    with pytest.raises(Unknown) as known:
        call("DELETE", "b/enc_keys")
    assert known.value.allowed == ("GET", "POST")


def test_replies_have_the_containers_of_the_standard() -> None:
    key = Secret(b"0123456789abcdef", id="k1")
    reply = answered([key])
    assert reply["status"] == 200
    assert reply["body"] == {
        "keys": [{"key_ID": "k1", "key": base64.b64encode(b"0123456789abcdef").decode()}]
    }
    denied = refused(Denied(503, "not enough key", "shortage", "the quota"))
    assert denied == {
        "status": 503,
        "body": {"message": "not enough key", "details": [{"reason": "the quota"}]},
    }
