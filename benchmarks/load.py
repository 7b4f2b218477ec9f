"""A load of HTTP requests from one process, over plain sockets: closed (clients in turns) or open (at given times)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came back.

    Attributes:
        seconds: that it lasted.
        latencies: seconds of each answer, by status; 0 stands for a broken connection.
        unsent: requests that found no free connection at their time.
    """

    seconds: float = 0.0
    latencies: dict[int, list[float]] = field(default_factory=dict)
    unsent: int = 0

    def add(self, status: int, seconds: float) -> None:
        self.latencies.setdefault(status, []).append(seconds)

    @property
    def answered(self) -> list[float]:
        return self.latencies.get(200, [])

    @property
    def refused(self) -> list[float]:
        return self.latencies.get(503, [])

    @property
    def failed(self) -> int:
        return sum(len(times) for status, times in self.latencies.items() if status not in (200, 503))

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds


class Connection:
    """One kept-alive connection, one request at a time; reopened where it was closed."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """Send a request and read its answer; returns the status, 0 where the connection broke."""
        try:
            if self._streams is not None and self._streams[0].at_eof():
                self.close()  # the server closes a connection that lay idle, as every client expects
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._place)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            start = lowered.index(b"content-length:") + 15
            await reader.readexactly(int(lowered[start : lowered.index(b"\r\n", start)]))
            if b"connection: close" in lowered:
                self.close()
            return int(head[9:12])
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            self.close()
            return 0

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def make_requests(pictures: Sequence[bytes], path: str = "/predict") -> list[bytes]:
    """Each picture (PNG) as the bytes of one request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: image/png\r\nContent-Length: "
    return [f"{head}{len(picture)}\r\n\r\n".encode() + picture for picture in pictures]


def send_in_turns(host: str, port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Clients of which each sends its next request when it has its answer."""
    load, turn = Load(), itertools.cycle(requests)

    async def send(connection: Connection, end: float) -> None:
        while (began := time.perf_counter()) < end:
            status = await connection.send(next(turn))
            load.add(status, time.perf_counter() - began)
        connection.close()

    async def send_all() -> None:
        began = time.perf_counter()
        await asyncio.gather(*(send(Connection(host, port), began + seconds) for _ in range(clients)))
        load.seconds = time.perf_counter() - began

    asyncio.run(send_all())
    return load


def send_at_rate(
    host: str, port: int, requests: Sequence[bytes], rate: float, seconds: float, connections: int = 256
) -> Load:
    """Requests at even times, whether or not the earlier ones were answered."""
    load, turn = Load(), itertools.cycle(requests)

    async def send(connection: Connection, free: list[Connection]) -> None:
        began = time.perf_counter()
        load.add(await connection.send(next(turn)), time.perf_counter() - began)
        free.append(connection)

    async def send_all() -> None:
        free = [Connection(host, port) for _ in range(connections)]
        every, running = list(free), set()
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            if not free:
                load.unsent += 1
                continue
            task = asyncio.ensure_future(send(free.pop(), free))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        load.seconds = time.perf_counter() - began
        for connection in every:
            connection.close()

    asyncio.run(send_all())
    return load
