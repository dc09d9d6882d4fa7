"""The HTTP server of a key service: the outside half, in real time, in the shell of the node.

Owns TLS, connections and their limits, and whose certificate a request came with. Does not own what a path
means (facades/), nor any decision: each request is put inside, and its reply is written down. aiohttp is
imported here, when a server starts, and nowhere else: no other node loads it.

Rules. A client has a certificate of the authority of these sites, or gets nothing; its common name is the
application. A connection without a whole request within `PATIENCE_S` is closed, and a body has at most
`LARGEST` bytes; no client keeps another one waiting. When too many requests are inside, the answer is 503.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...emulator.errors import MessageError, OutsideError, ProgramError
from .denied import BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE, Denied
from .facades.paths import FACADES, facade_of
from .facades.unknown import Unknown

if TYPE_CHECKING:
    from aiohttp import web

    from ..process.outside import Inside

#: Servers are for clients on the same machine.
LOOPBACK = "127.0.0.1"
#: How long a new connection may take to its first request, and how long one may be idle between two.
PATIENCE_S, IDLE_S = 10.0, 75.0
LARGEST = 1024 * 1024
#: Connections that are open at once, and requests that are inside.
MOST_CONNECTIONS, MOST_INSIDE = 512, 192


@dataclass(frozen=True)
class Serving:
    """Where and with which certificates a site serves."""

    site: str
    port: int
    certificates: str


def tls_of(serving: Serving) -> ssl.SSLContext:
    """TLS 1.3, with clients that have certificates of the same authority."""
    folder = Path(serving.certificates)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(
        folder / "sites" / f"{serving.site}.pem", folder / "sites" / f"{serving.site}.key"
    )
    return context


def common_name(certificate: Any) -> str:
    """Of a client's certificate; "" if it has none, or several."""
    found = [
        value
        for part in (certificate or {}).get("subject", ())
        for name, value in part
        if name == "commonName"
    ]
    return found[0] if len(found) == 1 else ""


class Connections:
    """The connections of a server: those that send too slowly, or nothing for long, are closed."""

    def __init__(self) -> None:
        #: Protocol -> until when its next request must have come; None while one is served.
        self._until: dict[asyncio.BaseProtocol, float | None] = {}

    def opened(self, protocol: asyncio.BaseProtocol) -> None:
        """Another one; where there are too many, the one whose time is over first makes room for it."""
        self._until[protocol] = asyncio.get_running_loop().time() + PATIENCE_S
        if len(self._until) > MOST_CONNECTIONS:
            idle = [(until, each) for each, until in self._until.items() if until is not None]
            _abort(min(idle, key=lambda item: item[0])[1])

    def serving(self, protocol: asyncio.BaseProtocol, begins: bool) -> None:
        """A request of it has come wholly, or has been answered."""
        if protocol in self._until:
            now = asyncio.get_running_loop().time()
            self._until[protocol] = None if begins else now + IDLE_S

    async def watch(self) -> None:
        """Close those that are too slow, for ever."""
        while True:
            await asyncio.sleep(PATIENCE_S / 10)
            now = asyncio.get_running_loop().time()
            for protocol, until in list(self._until.items()):
                transport = getattr(protocol, "transport", None)
                if until is None or now < until:
                    continue
                if transport is None or transport.is_closing():
                    del self._until[protocol]
                else:
                    _abort(protocol)


def _abort(protocol: asyncio.BaseProtocol) -> None:
    transport = getattr(protocol, "transport", None)
    if transport is not None:
        transport.abort()


async def serve_keys(inside: Inside, serving: Serving) -> None:
    """Serve until cancelled."""
    try:
        from aiohttp import web
    except ImportError as error:
        raise ProgramError(
            "a key service that serves clients needs aiohttp: pip install 'qnetem[keys]'"
        ) from error
    connections = Connections()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        try:
            body = await _body(request)
            connections.serving(protocol, begins=True)
            reply, headers = await _reply(inside, request, body)
        except _TooLarge:
            denied = Denied(BAD_REQUEST, f"a body of more than {LARGEST} bytes", "request")
            reply = FACADES[facade_of(request.path)].refused(denied)
            headers = {"Connection": "close"}
        finally:
            connections.serving(protocol, begins=False)
        headers["Cache-Control"] = "no-store"
        return web.json_response(reply["body"], status=reply["status"], headers=headers)

    server = web.Server(handle, access_log=None, lingering_time=0.0)

    def protocol() -> asyncio.BaseProtocol:
        made: asyncio.BaseProtocol = server()
        connections.opened(made)
        return made

    listener = await asyncio.get_running_loop().create_server(
        protocol,
        LOOPBACK,
        serving.port,
        ssl=tls_of(serving),
        ssl_handshake_timeout=PATIENCE_S,
        backlog=1024,
    )
    try:
        await connections.watch()
    finally:
        listener.close()
        await server.shutdown(timeout=0.5)


class _TooLarge(Exception):
    pass


async def _body(request: web.BaseRequest) -> bytes:
    """Of a request; a slow one is ended by its connection (Connections.watch). Raises _TooLarge."""
    if (request.content_length or 0) > LARGEST:
        raise _TooLarge
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > LARGEST:
            raise _TooLarge
    return bytes(data)


async def _reply(
    inside: Inside, request: web.BaseRequest, body: bytes
) -> tuple[dict[str, Any], dict[str, str]]:
    path = request.raw_path.partition("?")[0]
    name = facade_of(path)
    facade, transport = FACADES[name], request.transport
    sae = common_name(transport.get_extra_info("peercert") if transport is not None else None)
    try:
        if not sae:
            raise Denied(UNAUTHORIZED, "the certificate names no SAE", "unauthorised")
        query = list(request.query.items())
        call = facade.call_of(request.method, path, query, body)
        if inside.unanswered >= MOST_INSIDE:
            raise Denied(UNAVAILABLE, "the KME is busy", "busy")
        return await inside.put({"facade": name, "sae": sae, **call}), {}
    except Unknown as unknown:
        if unknown.allowed:
            allow = {"Allow": ", ".join(unknown.allowed)}
            return {"status": 405, "body": {"message": "the path has no such method"}}, allow
        return {"status": 404, "body": {"message": "no such path"}}, {}
    except Denied as denied:
        return facade.refused(denied), {}
    except MessageError:
        return facade.refused(Denied(BAD_REQUEST, "the request is too large", "request")), {}
    except OutsideError:
        return facade.refused(Denied(UNAVAILABLE, "the KME has left", "leaving")), {
            "Connection": "close"
        }
