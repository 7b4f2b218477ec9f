"""Schemathesis reads the description of the service and sends what it allows, and much that it does not."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.openapi import from_url
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cnn_demo.serve.limits import Limits
from cnn_demo.serve.service import Service
from tests.unit.serve.served import RunningServer, digit_png, holding, load, make_client, run_coroutine, serve_network

TRACES = ("Traceback", "site-packages", "cnn_demo/", ".py", "0x", "/home", "/root", "/tmp")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningServer]:
    limits = Limits(max_body_bytes=100_000, rate=0)
    with RunningServer(Service(holding(serve_network()), limits=limits)) as made:
        yield made


OPERATIONS = ("POST /predict", "GET /ready", "GET /health", "GET /metrics", "POST /reload")


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_brings_it_down_or_leaks_a_path(running: RunningServer, label: str) -> None:
    schema = from_url(f"{running.url}/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    operations = {operation.label: operation for operation in found}
    assert sorted(operations) == sorted(OPERATIONS)
    operation = operations[label]
    requests = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @given(case=strategies.one_of(requests))
    @settings(
        max_examples=100 if label == "POST /predict" else 10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        found = case.call()
        case.validate_response(
            found,
            checks=[
                not_a_server_error,
                content_type_conformance,
                response_schema_conformance,
                status_code_conformance,
            ],
        )
        assert not [trace for trace in TRACES if trace in found.text], found.text
        assert '"failed"' not in found.text  # no image met a defect

    ask()
    assert httpx.get(f"{running.url}/ready").json()["state"] == "ready"
    answer = httpx.post(f"{running.url}/predict", content=digit_png(), headers={"Content-Type": "image/png"})
    assert answer.json()["predictions"][0]["label"] == "7"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    service = run_coroutine(load(Service(holding(serve_network()))))
    with make_client(service) as made:
        yield made


def test_the_page_says_what_answers_and_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<b>shipped</b> (ready)" in page.text
    assert 'type="password"' not in page.text
    assert "http" not in page.text.replace("HTTP", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/predict/", "/..%2f..%2fetc/passwd", "/%00", "/metrics/x"])
def test_there_is_nothing_else(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code in (404, 405)
    assert set(found.json()["error"]) == {"kind", "message"}
    assert found.headers["X-Content-Type-Options"] == "nosniff"


def test_the_method_and_the_parameters_are_checked(client: TestClient) -> None:
    assert client.get("/predict").headers["Allow"] == "POST"
    found = client.post("/predict?stages=perhaps", content=digit_png(), headers={"Content-Type": "image/png"})
    assert (found.status_code, found.json()["error"]["kind"]) == (422, "bad_parameter")
    found = client.post("/predict?stages=true", content=digit_png(), headers={"Content-Type": "image/png"})
    assert len(found.json()["predictions"][0]["stages"]) == 6


def test_a_defect_is_said_without_its_words() -> None:
    service = run_coroutine(load(Service(holding(serve_network()))))

    async def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("in /secret/path")

    service.answer = fail  # type: ignore[assignment,method-assign]
    with make_client(service) as broken:
        found = broken.post("/predict", content=digit_png(), headers={"Content-Type": "image/png"})
        assert (found.status_code, found.json()["error"]["kind"]) == (500, "failed")
        assert "secret" not in found.text


def test_the_description_tells_of_the_token_only_where_there_is_one() -> None:
    service = Service(holding(serve_network()))
    with make_client(service, token="t") as with_token:
        described = with_token.get("/openapi.json").json()
        assert described["paths"]["/predict"]["post"]["security"] == [{"bearer": []}]
        assert 'type="password"' in with_token.get("/").text
        assert "security" not in described["paths"]["/ready"]["get"]
