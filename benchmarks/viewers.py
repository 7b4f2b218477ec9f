"""Simulated viewers of the app: Streamlit's WebSocket without a browser.

A viewer opens a page, receives what a browser receives, and repeats the page's self-refreshing fragments at their
interval as a browser does.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol


@dataclass
class Viewer:
    """One open page.

    Attributes:
        polls: for each refresh, the seconds from the request to the end of the script run.
        bytes_in: what the server has sent.
    """

    address: str
    page: str
    query: str = ""
    polls: list[float] = field(default_factory=list)
    bytes_in: int = 0

    async def watch(self, seconds: float) -> None:
        """Look at the page for a while."""
        url = self.address.replace("http", "ws") + "/_stcore/stream"
        async with connect(url, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
            await self._watch(socket, time.monotonic() + seconds)

    async def _watch(self, socket: ClientConnection, end: float) -> None:
        await self._ask(socket)
        timers: dict[str, tuple[float, float]] = {}  # fragment -> (interval, when it is due)
        while (now := time.monotonic()) < end:
            due = min(((when, name) for name, (_, when) in timers.items()), default=(end, ""))
            if due[1] and due[0] <= now:
                name = due[1]
                interval = timers[name][0]
                began = time.perf_counter()
                await self._ask(socket, name)
                await self._receive(socket, timers, end)
                self.polls.append(time.perf_counter() - began)
                timers[name] = (interval, time.monotonic() + interval)
                continue
            await self._receive(socket, timers, min(end, due[0]))

    async def _ask(self, socket: ClientConnection, fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = self.page
        if fragment:
            message.rerun_script.fragment_id = fragment
            message.rerun_script.is_auto_rerun = True
        await socket.send(message.SerializeToString())

    async def _receive(self, socket: ClientConnection, timers: dict[str, tuple[float, float]], until: float) -> None:
        """Take in messages until a script run ends or the time is over."""
        while (left := until - time.monotonic()) > 0:
            try:
                raw = await asyncio.wait_for(socket.recv(), left)
            except TimeoutError:
                return
            assert isinstance(raw, bytes)
            self.bytes_in += len(raw)
            message = ForwardMsg.FromString(raw)
            kind = message.WhichOneof("type")
            if kind == "auto_rerun":
                interval = float(message.auto_rerun.interval)
                timers.setdefault(message.auto_rerun.fragment_id, (interval, time.monotonic() + interval))
            elif kind == "script_finished":
                return


def watch_together(address: str, page: str, query: str, count: int, seconds: float) -> list[Viewer]:
    """Let ``count`` viewers look at one page at once; gives them back with what they measured."""
    viewers = [Viewer(address, page, query) for _ in range(count)]

    async def all_of_them() -> None:
        await asyncio.gather(*(viewer.watch(seconds) for viewer in viewers))

    asyncio.run(all_of_them())
    return viewers
