"""Token, rate, queue and deadline over HTTP; refusals come at once and say how long to wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from cnn_demo.serve.limits import Limits, RateLimiter
from cnn_demo.serve.service import Service
from tests.made_networks import read_shipped
from tests.unit.serve.served import GatedEngine, digit_png, holding, load, make_client, run_coroutine, serve_network

PNG = {"Content-Type": "image/png"}
SHIPPED_STEP = read_shipped()["step"]


def make_service(limits: Limits, engine: GatedEngine | None = None, limiter: RateLimiter | None = None) -> Service:
    return run_coroutine(load(Service(holding(serve_network(engine)), limits=limits, limiter=limiter)))


@pytest.fixture
def engine() -> Iterator[GatedEngine]:
    made = GatedEngine()
    yield made
    made.gate.set()


def send(client: TestClient, found: list[int]) -> threading.Thread:
    """A request on a thread of its own; its status is put into ``found``."""
    thread = threading.Thread(
        target=lambda: found.append(client.post("/predict", content=digit_png(), headers=PNG).status_code)
    )
    thread.start()
    return thread


def test_a_full_queue_refuses_at_once_and_the_others_are_answered(engine: GatedEngine) -> None:
    service = make_service(Limits(max_queue=3, deadline=60), engine)
    found: list[int] = []
    with make_client(service) as client:
        threads = [send(client, found) for _ in range(3)]
        assert engine.entered.wait(60)
        while service.admission.images < 3:
            threading.Event().wait(0.001)
        for _ in range(20):  # the engine computes nothing, so only a refusal can come
            refused = client.post("/predict", content=digit_png(), headers=PNG)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.json()["error"]["kind"] == "busy"
        assert service.admission.images == 3
        text = client.get("/metrics").text
        assert "cnn_demo_images_in_work 3.0" in text
        assert 'cnn_demo_refused_total{reason="busy"} 20.0' in text
        engine.gate.set()
        for thread in threads:
            thread.join(60)
        assert found == [200, 200, 200]
        assert (service.admission.images, service.admission.nbytes) == (0, 0)
        assert 'cnn_demo_requests_total{path="/predict",status="200"} 3.0' in client.get("/metrics").text


def test_what_takes_too_long_is_given_up_and_its_place_is_free(engine: GatedEngine) -> None:
    service = make_service(Limits(deadline=0.05), engine)
    with make_client(service) as client:
        for _ in range(3):
            late = client.post("/predict", content=digit_png(), headers=PNG)
            assert (late.status_code, late.json()["error"]["kind"]) == (504, "deadline")
        assert service.admission.images == 0
        engine.gate.set()


def test_a_client_that_sends_too_much_waits() -> None:
    now = [0.0]
    service = make_service(Limits(), limiter=RateLimiter(rate=0.5, burst=4, clock=lambda: now[0]))
    with make_client(service) as client:
        files = [("a", ("a", digit_png()))] * 3
        assert client.post("/predict", files=files).status_code == 200
        assert client.post("/predict", files=files).status_code == 200  # one was left, two are on credit
        slow = client.post("/predict", files=files)
        assert (slow.status_code, slow.headers["Retry-After"]) == (429, "6")
        assert slow.json()["error"]["kind"] == "too_fast"
        assert client.get("/ready").status_code == 200  # only predictions count
        now[0] += 6
        assert client.post("/predict", files=files).status_code == 200


def test_the_token() -> None:
    service = make_service(Limits())
    with make_client(service, token="s3cret-ä") as client:
        for path in ("/health", "/ready", "/openapi.json", "/"):
            assert client.get(path).status_code == 200
        bad = [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}]
        for headers in bad:
            refused = client.post("/predict", content=digit_png(), headers={**PNG, **headers})
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert client.get("/metrics", headers=headers).status_code == 401
            assert client.post("/reload", headers=headers).status_code == 401
        assert "s3cret" not in client.get("/").text + client.get("/openapi.json").text
    service = make_service(Limits())
    with make_client(service, token="s3cret") as client:
        good = {"Authorization": "bearer s3cret"}
        assert client.post("/predict", content=digit_png(), headers={**PNG, **good}).status_code == 200
        assert client.get("/metrics", headers=good).status_code == 200
        assert client.post("/reload", headers=good).json() == {
            "changed": False,
            "network": "shipped",
            "step": SHIPPED_STEP,
        }


def test_without_a_token_nobody_reloads() -> None:
    with make_client(make_service(Limits())) as client:
        refused = client.post("/reload")
        assert (refused.status_code, refused.json()["error"]["kind"]) == (403, "no_token_set")


def test_before_the_network_is_there_it_is_not_ready() -> None:
    service = Service(holding(serve_network()))
    with make_client(service) as client:
        assert client.get("/health").json() == {"state": "alive"}
        waiting = client.get("/ready")
        assert (waiting.status_code, waiting.json()) == (503, {"state": "loading"})
        early = client.post("/predict", content=digit_png(), headers=PNG)
        assert (early.status_code, early.headers["Retry-After"]) == (503, "2")
        assert client.portal is not None
        client.portal.call(service.reload)
        assert client.get("/ready").json() == {"state": "ready", "network": "shipped", "step": SHIPPED_STEP}
        service.begin_stop()
        assert client.get("/ready").json()["state"] == "stopping"
        assert client.post("/predict", content=digit_png(), headers=PNG).status_code == 200
