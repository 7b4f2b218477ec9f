"""A real server on a real port: the orderly end, loading behind an open port, and what is no HTTP at all."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from cnn_demo.serve.limits import Limits
from cnn_demo.serve.server import Listening, Server, open_socket
from cnn_demo.serve.service import Service
from tests.unit.serve.served import GatedEngine, RunningServer, digit_png, holding, serve_network

PNG = {"Content-Type": "image/png"}
LIMITS = Limits(rate=0, deadline=60)


@pytest.fixture
def engine() -> Iterator[GatedEngine]:
    made = GatedEngine()
    yield made
    made.gate.set()


def post(url: str) -> httpx.Response:
    return httpx.post(f"{url}/predict", content=digit_png(), headers=PNG, timeout=60)


def test_requests_in_work_are_answered_after_sigterm_and_no_others_come(engine: GatedEngine) -> None:
    running = RunningServer(Service(holding(serve_network(engine)), limits=LIMITS))
    found: list[httpx.Response] = []
    with running:
        clients = [threading.Thread(target=lambda: found.append(post(running.url))) for _ in range(5)]
        for client in clients:
            client.start()
        assert engine.entered.wait(60)
        while running.service.admission.images < 5:
            threading.Event().wait(0.001)
        running.server.handle_exit(signal.SIGTERM, None)
        while running.server.servers[0].is_serving():
            threading.Event().wait(0.001)
        with pytest.raises(httpx.ConnectError):
            post(running.url)
        engine.gate.set()
        for client in clients:
            client.join(60)
        running.thread.join(60)
    assert [answer.status_code for answer in found] == [200] * 5
    assert running.server.failure is None


def test_while_it_drains_it_is_not_ready_but_answers() -> None:
    running = RunningServer(Service(holding(serve_network()), limits=LIMITS), drain=3600)
    with running:
        assert httpx.get(f"{running.url}/ready").status_code == 200
        running.server.handle_exit(signal.SIGTERM, None)
        ready = httpx.get(f"{running.url}/ready")
        assert (ready.status_code, ready.json()["state"]) == (503, "stopping")
        assert post(running.url).status_code == 200
        running.server.handle_exit(signal.SIGTERM, None)  # the second does not wait for the drain
        running.thread.join(60)
    running.service.close()


def test_a_network_that_cannot_be_loaded_ends_the_server() -> None:
    def fail() -> None:
        raise ValueError("broken")

    service = Service(fail)  # type: ignore[arg-type]
    listening = Listening(port=0)
    server = Server(service, listening)
    thread = threading.Thread(target=server.run, args=([open_socket(listening)],))
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert str(server.failure) == "broken"


def test_a_taken_port_is_an_error() -> None:
    with open_socket(Listening(port=0)) as first, pytest.raises(OSError, match="in use"):
        open_socket(Listening(port=first.getsockname()[1]))


def test_what_is_no_http_costs_only_its_connection() -> None:
    with RunningServer(Service(holding(serve_network()), limits=Limits(rate=0, deadline=0.2))) as running:
        place = urlsplit(running.url)
        address = (str(place.hostname), int(place.port or 0))
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        for nonsense in [
            b"\x16\x03\x01 hello\r\n\r\n",
            head + b"Content-Length: -5\r\n\r\n",
            head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
            head + b"Content-Length: 99999999999\r\n\r\n",
            head + b"Content-Length: 100\r\n\r\nhalf",
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        ]:
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(nonsense)
                assert connection.recv(65536).startswith(b"HTTP/1.1 4"), nonsense
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(head + b"Content-Length: 100\r\n\r\nhalf")  # and gone
        assert post(running.url).status_code == 200
        assert running.service.admission.images <= 1  # that of the client who left may still be there


def test_a_refusal_keeps_the_connection_where_the_body_is_short() -> None:
    running = RunningServer(Service(holding(serve_network()), limits=Limits(rate=0.001, burst=1)))
    with running, httpx.Client(base_url=running.url, timeout=60) as client:
        assert client.post("/predict", content=digit_png(), headers=PNG).status_code == 200
        for _ in range(20):
            refused = client.post("/predict", content=digit_png(), headers=PNG)
            assert refused.status_code == 429
            assert "connection" not in refused.headers
        long = client.post("/predict", content=bytes(100_000), headers=PNG)
        assert (long.status_code, long.headers["connection"]) == (429, "close")


@pytest.mark.parametrize("piece", [b"a" * 1000, b"A: b\r\n" * 200])
def test_headers_without_end_are_cut_off(piece: bytes) -> None:
    with RunningServer(Service(holding(serve_network()), limits=LIMITS)) as running:
        place = urlsplit(running.url)
        with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=60) as connection:
            with contextlib.suppress(OSError):  # the server may be gone before all is sent
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
                for _ in range(400):
                    connection.sendall(piece)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100).startswith(b"HTTP/1.1 400")
        assert post(running.url).status_code == 200
