"""The process: listening, loading in the background, signals, and an orderly end.

SIGTERM and Ctrl-C: no longer ready; after ``drain`` seconds no new connection is taken, requests in work are answered,
then the process ends. SIGHUP: the network is loaded again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from cnn_demo.serve.app import create_app
from cnn_demo.serve.service import Service

log = logging.getLogger("cnn_demo.serve")

LOCAL = ("127.0.0.1", "localhost", "::1")
_BACKLOG = 2048  # connections that wait to be taken, as uvicorn has it
# Python's default of 0.005 is how long the event loop would wait for each thread that prepares a picture.
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how a service listens.

    Attributes:
        host: an address of this machine.
        port: 0 for a free one.
        token: that callers need; None for none.
        trusted_proxy: whose ``X-Forwarded-For`` names the client; empty for nobody's.
        follow: seconds between two looks for a newer checkpoint; 0 for none.
        drain: seconds between being no longer ready and taking no more connections.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    token: str | None = None
    trusted_proxy: str = ""
    follow: float = 2.0
    drain: float = 0.0


def open_socket(listening: Listening) -> socket.socket:
    """A socket that listens: who calls from now on waits until the server takes the call.

    Raises:
        OSError: the address is not one of this machine, or taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two servers share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


class Server(uvicorn.Server):
    """uvicorn with a service behind it.

    Args:
        service: answers; its network is loaded once the server listens.
        listening: where and how.

    Attributes:
        failure: why the first network could not be loaded; the server then ends.
    """

    def __init__(self, service: Service, listening: Listening) -> None:
        config = uvicorn.Config(
            create_app(service, listening.token),
            http="h11",  # httptools, which uvicorn prefers where it is installed, takes in headers without end
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(listening.trusted_proxy),
            forwarded_allow_ips=listening.trusted_proxy,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=int(service.limits.deadline) + 5,
        )
        super().__init__(config)
        self.failure: Exception | None = None
        self._service, self._listening = service, listening
        self._background: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then load the network in the background."""
        self._loop = asyncio.get_running_loop()
        sys.setswitchinterval(_SWITCH_SECONDS)
        await super().startup(sockets)
        self._keep(self._load_and_follow())
        if hasattr(signal, "SIGHUP"):
            with contextlib.suppress(RuntimeError, ValueError):  # not in the main thread, as in a test
                self._loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(self._reload()))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in work, and end."""
        self._service.begin_stop()
        for task in self._background:
            task.cancel()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; at the second signal do not wait for anything. The exit status stays that of the command."""
        if self._service.state == "stopping" or self._loop is None:
            self.should_exit = self.force_exit = True
            return
        self._service.begin_stop()
        self._loop.call_soon_threadsafe(self._loop.call_later, self._listening.drain, self._end)

    def _end(self) -> None:
        self.should_exit = True

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _load_and_follow(self) -> None:
        try:
            await self._service.reload()
        except Exception as error:
            self.failure, self.should_exit = error, True
            return
        if self._listening.follow > 0:
            await self._service.follow(self._listening.follow)

    async def _reload(self) -> None:
        try:
            await self._service.reload()
        except Exception as error:
            log.warning("the network cannot be reloaded: %s", error)
