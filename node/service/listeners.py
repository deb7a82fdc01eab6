"""The HTTP listeners of a node: sockets bound early, uvicorn without its signal handling."""

import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config

from node.service.config import Settings
from node.service.connection_guard import ConnectionLimits, guarded_protocol

GRACEFUL_STOP_S = 5
PEER_PREFIX = "/p2p/"


class ListenFailed(Exception):
    """An address cannot be listened on; the text names it and says why."""


class Server(uvicorn.Server):
    """uvicorn under a task group: the service alone handles signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class PathSplit:
    """One listener for two applications: what peers ask goes to theirs, all else to the API."""

    def __init__(self, api: ASGIApp, peers: ASGIApp) -> None:
        self._api = api
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for_peers = scope["type"] != "lifespan" and scope["path"].startswith(PEER_PREFIX)
        await (self._peers if for_peers else self._api)(scope, receive, send)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket.  Raises ListenFailed."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ListenFailed(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


@dataclass(frozen=True, slots=True)
class Listening:
    """A server with its bound socket and its bounds on connections."""

    server: Server
    socket: socket.socket
    limits: ConnectionLimits


def make_servers(settings: Settings, api: ASGIApp, peers: ASGIApp) -> list[Listening]:
    """One listener for both applications, or a second one for peers alone.  ListenFailed."""
    shared = settings.p2p.port is None
    public = _limits(settings, settings.api.connections_per_address)
    app = PathSplit(api, peers) if shared else api
    servers = [
        Listening(
            make_server(settings, app, public, peers=shared),
            bind(settings.api.host, settings.api.port),
            public,
        )
    ]
    if settings.p2p.port is not None:
        private = _limits(settings, settings.p2p.max_connections)
        servers.append(
            Listening(
                make_server(settings, peers, private, peers=True),
                bind(settings.p2p.host, settings.p2p.port),
                private,
            )
        )
    return servers


def _limits(settings: Settings, per_address: int) -> ConnectionLimits:
    return ConnectionLimits(
        max_connections=settings.api.max_connections,
        per_address=per_address,
        head_timeout_s=settings.api.header_timeout_s,
    )


def make_server(
    settings: Settings, app: ASGIApp, limits: ConnectionLimits, *, peers: bool
) -> Server:
    """One server; `peers` allows WebSockets, which only peers use."""
    config = Config(
        app,
        http=guarded_protocol(limits),
        ws="websockets-sansio" if peers else "none",
        ws_max_size=settings.p2p.max_frame_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.api.keep_alive_s),
        timeout_graceful_shutdown=GRACEFUL_STOP_S,
    )
    return Server(config)
