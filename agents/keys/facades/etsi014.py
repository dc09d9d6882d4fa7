"""ETSI GS QKD 014 V1.1.1: requests of HTTP to calls of the key service, and its replies back.

Owns paths, parameters, bodies and the JSON of answers of this version. Does not own decisions
(key_service.py) nor sockets (server.py). Another edition of the standard is another module with the same
words (paths.py).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from ...secret import Secret
from ..denied import BAD_REQUEST, NOT_MULTIPLE, NOT_SUPPORTED, Denied
from .unknown import Unknown

OK = 200
PATHS: Sequence[str] = ("/api/v1/keys",)
_PREFIX = "/api/v1/keys/"
_METHODS = {"status": ("GET",), "enc_keys": ("GET", "POST"), "dec_keys": ("GET", "POST")}
_DIGITS = re.compile(r"-?[0-9]{1,18}")


def call_of(method: str, path: str, query: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """The call that a request is: `call` and `arguments`. `path` as it came. Raises Unknown, Denied."""
    parts = path.removeprefix(_PREFIX).split("/")
    if not path.startswith(_PREFIX) or len(parts) != 2 or parts[1] not in _METHODS or not parts[0]:
        raise Unknown
    call = parts[1]
    if method not in _METHODS[call]:
        raise Unknown(_METHODS[call])
    other = unquote(parts[0])
    if call == "status":
        return {"call": call, "arguments": {"slave": other}}
    values = _of_query(query, call) if method == "GET" else _of_body(body)
    if call == "enc_keys":
        return {"call": call, "arguments": {"slave": other, **_key_request(values)}}
    return {"call": call, "arguments": {"master": other, "ids": _key_ids(values)}}


def _of_query(query: list[tuple[str, str]], call: str) -> dict[str, Any]:
    allowed = ("number", "size") if call == "enc_keys" else ("key_ID",)
    values: dict[str, Any] = {}
    for name, value in query:
        if name not in allowed or name in values:
            raise Denied(BAD_REQUEST, f"the parameter {name[:32]!r} does not fit", "request")
        values[name] = value
    if call == "dec_keys":
        return {"key_IDs": [values]} if values else {}
    for name, value in values.items():
        if not _DIGITS.fullmatch(value):
            raise Denied(BAD_REQUEST, f"{name} is no number", "request")
        values[name] = int(value)
    return values


def _of_body(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        values = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Denied(BAD_REQUEST, "the body is no JSON", "request") from None
    if not isinstance(values, dict):
        raise Denied(BAD_REQUEST, "the body is no JSON object", "request")
    return {name: value for name, value in values.items() if value is not None}


def _key_request(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("extension_mandatory"):
        raise Denied(BAD_REQUEST, NOT_SUPPORTED, "request")
    found: dict[str, Any] = {}
    for name in ("number", "size"):
        if name in values:
            found[name] = values[name]
            if type(values[name]) is not int:
                message = NOT_MULTIPLE if name == "size" else "number is no whole number"
                raise Denied(BAD_REQUEST, message, "request")
    additional = values.get("additional_slave_SAE_IDs", [])
    if not isinstance(additional, list) or len(additional) > 1000:
        raise Denied(BAD_REQUEST, "additional_slave_SAE_IDs is no list of ids", "request")
    return {**found, "additional": additional}


def _key_ids(values: dict[str, Any]) -> list[Any]:
    named = values.get("key_IDs")
    if not isinstance(named, list) or not all(isinstance(each, dict) for each in named):
        raise Denied(BAD_REQUEST, "key_IDs is no list of objects with key_ID", "request")
    return [each.get("key_ID") for each in named]


# --- replies --------------------------------------------------------------------------------------


def answered(value: dict[str, Any] | list[Secret]) -> dict[str, Any]:
    """The reply to a call that was served: the only place where keys are revealed."""
    if isinstance(value, dict):
        return {"status": OK, "body": value}
    keys = [
        {"key_ID": key.id, "key": base64.b64encode(key.reveal_bytes()).decode()} for key in value
    ]
    return {"status": OK, "body": {"keys": keys}}


def refused(denied: Denied) -> dict[str, Any]:
    """The reply to one that was not."""
    body: dict[str, Any] = {"message": denied.message}
    if denied.details:
        body["details"] = [{"reason": denied.details}]
    return {"status": denied.status, "body": body}
