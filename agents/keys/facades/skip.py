"""SKIP (draft-cisco-skip-02): the same keys for encryptors that speak the Secure Key Integration Protocol.

Owns its paths, parameters and replies. Does not own decisions (key_service.py) nor sockets (server.py). A
system id is the name of an application; a key id is ours without its hyphens. What differs from the draft:
clients have certificates in place of pre-shared keys of TLS, and no entropy is offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...secret import Secret
from ..denied import BAD_REQUEST, UNAVAILABLE, Denied
from .unknown import Unknown

PATHS: Sequence[str] = ("/key", "/capabilities", "/entropy")
_KEY_ID = re.compile(r"[0-9a-fA-F]{32}")
_GET = ("GET",)


def call_of(method: str, path: str, query: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """The call that a request is. Raises Unknown, Denied."""
    name, *rest = path.removeprefix("/").split("/")
    if f"/{name}" not in PATHS or len(rest) > (name == "key"):
        raise Unknown
    if method not in _GET:
        raise Unknown(_GET)
    if name == "entropy":
        raise Denied(UNAVAILABLE, "no entropy is offered", "request")
    if name == "capabilities":
        return {"call": "peers", "arguments": {}}
    values = dict(query)
    remote = values.get("remoteSystemID", "")
    if not remote or len(values) < len(query):
        raise Denied(BAD_REQUEST, "expected one remoteSystemID", "request")
    if rest:
        if not _KEY_ID.fullmatch(rest[0]):
            raise Denied(BAD_REQUEST, "the key id is malformed", "request")
        return {"call": "dec_keys", "arguments": {"master": remote, "ids": [_as_uuid(rest[0])]}}
    arguments: dict[str, Any] = {"slave": remote}
    if "size" in values:
        if not re.fullmatch(r"[0-9]{1,9}", values["size"]):
            raise Denied(BAD_REQUEST, "size is no number of bits", "request")
        arguments["size"] = int(values["size"])
    return {"call": "enc_keys", "arguments": arguments}


def _as_uuid(id: str) -> str:
    return "-".join((id[:8], id[8:12], id[12:16], id[16:20], id[20:])).lower()


def answered(value: dict[str, Any] | list[Secret]) -> dict[str, Any]:
    """The reply to a call that was served."""
    if isinstance(value, dict):
        body: dict[str, Any] = {
            "entropy": False,
            "key": True,
            "algorithm": "QKD",
            "localSystemID": value["local"],
            "remoteSystemID": value["remote"],
        }
    else:
        (key,) = value
        body = {"keyId": key.id.replace("-", ""), "key": key.reveal_bytes().hex()}
    return {"status": 200, "body": body}


def refused(denied: Denied) -> dict[str, Any]:
    """The reply to one that was not."""
    return {"status": denied.status, "body": {"message": denied.message}}
