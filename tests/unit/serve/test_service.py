"""Answers, changes of the network while requests are in work, deadlines, stopping; nothing here is timed."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cnn_demo.drawing.pictures import decode_picture
from cnn_demo.handwriting.strokes import synthesize, synthesize_outliers
from cnn_demo.plots.png import png_bytes
from cnn_demo.prediction.load import load_model
from cnn_demo.prediction.plain_data import describe_prediction
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.serve.batching import BatcherClosed
from cnn_demo.serve.engine import ServedNetwork
from cnn_demo.serve.limits import Limits, Refused
from cnn_demo.serve.service import BadImage, Service
from cnn_demo.settings.reference import SHIPPED_REF
from tests.unit.serve.served import (
    GatedEngine,
    Logits,
    TorchEngine,
    digit_png,
    holding,
    load,
    run_coroutine,
    serve_network,
)


def read_metric(service: Service, name: str, **labels: str) -> float:
    return service.metrics.registry.get_sample_value(name, labels) or 0.0


async def wait_until(service: Service, count: int) -> None:
    """Until so many images wait for the engine; each turn of the loop is one look."""
    while len(service._batcher._waiting) < count:
        await asyncio.sleep(0.001)


def test_the_answers_are_those_of_the_page() -> None:
    """A hundred drawings: digits in styles held out, letters and scribbles, pads, an empty one, a thin line."""
    digits = synthesize(60, seed=7, held_out=True).images
    pictures = [
        png_bytes(image.numpy()) for image in torch.cat([digits, synthesize_outliers(36, 3, "calibration")])[:, 0]
    ]
    pictures += [
        digit_png(),
        digit_png(60, 20),
        png_bytes(np.zeros((280, 280), np.uint8)),
        png_bytes(np.eye(99, dtype=np.uint8) * 255),
    ]
    assert len(pictures) == 100
    network = serve_network()
    predictor = network.predictor
    expected = [
        describe_prediction(found, predictor) for found in predictor.predict([decode_picture(p) for p in pictures])
    ]

    async def ask() -> list[dict[str, Any]]:
        service = await load(Service(holding(network)))
        one_by_one = [(await service.answer([picture]))["predictions"][0] for picture in pictures[:10]]
        together = (await service.answer(pictures))["predictions"]
        service.close()
        assert [row["label"] for row in one_by_one] == [row["label"] for row in together[:10]]
        return together

    rows = run_coroutine(ask())
    kinds = set()
    for row, wanted in zip(rows, expected, strict=True):
        for name in ("label", "verdict", "warnings"):
            assert row[name] == wanted[name]
        np.testing.assert_allclose(row["probabilities"], wanted["probabilities"], atol=1e-4)
        kinds.add(wanted["verdict"])
    assert {"sure", "not_a_digit", "empty"} <= kinds  # the comparison is one of several verdicts


def test_stages_are_those_of_the_predictor() -> None:
    network = serve_network()
    (wanted,) = network.predictor.predict_drawings(
        [network.predictor.prepare(decode_picture(digit_png()))], stages=True
    )

    async def ask() -> list[dict[str, Any]]:
        service = await load(Service(holding(network)))
        found = await service.answer([digit_png(), png_bytes(np.zeros((280, 280), np.uint8))], stages=True)
        service.close()
        assert [stage["label"] for stage in found["predictions"][1]["stages"]] == [None] * 4  # nothing drawn
        return list(found["predictions"][0]["stages"])

    stages = run_coroutine(ask())
    assert [stage["name"] for stage in stages] == [stage.name for stage in wanted.drawing.stages]
    assert [stage["label"] for stage in stages] == [str(answer.top) for answer in wanted.stages]
    probabilities = [answer.probability for answer in wanted.stages]
    np.testing.assert_allclose([stage["probability"] for stage in stages], probabilities, atol=1e-4)


def test_concurrent_requests_share_a_pass_and_each_gets_its_own_answer() -> None:
    engine = GatedEngine()

    async def ask() -> None:
        service = await load(Service(holding(serve_network(engine)), limits=Limits(window=60, threads=4)))
        first = asyncio.create_task(service.answer([digit_png()]))
        assert await asyncio.to_thread(engine.entered.wait, 60)
        rest = [asyncio.create_task(service.answer([digit_png(n, -n), BadImage("x", "y")])) for n in range(8)]
        await wait_until(service, 8)
        engine.gate.set()
        answers = await asyncio.gather(first, *rest)
        assert engine.sizes == [1, 8]
        assert [answer["n"] for answer in answers] == [1, *[2] * 8]
        assert all(answer["predictions"][1]["error"] == {"kind": "x", "message": "y"} for answer in answers[1:])
        assert read_metric(service, "cnn_demo_batch_rows_sum") == 9
        assert read_metric(service, "cnn_demo_batch_rows_count") == 2
        assert read_metric(service, "cnn_demo_images_total", outcome="x") == 8
        service.close()

    run_coroutine(ask())


class FailingEngine(TorchEngine):
    """Fails, or gives what is no number."""

    error: Exception | None = RuntimeError("in /secret/path")

    def compute_logits(self, inputs: Logits) -> Logits:
        if self.error is not None:
            raise self.error
        return super().compute_logits(inputs) * np.float32("nan")


def test_an_engine_that_fails_is_said_without_its_words() -> None:
    engine = FailingEngine(load_model(SHIPPED_REF, Store()))

    async def ask() -> None:
        service = await load(Service(holding(serve_network(engine))))
        found = await service.answer([digit_png(), b""])
        assert [row["error"]["kind"] for row in found["predictions"]] == ["failed", "not_a_picture"]
        assert "secret" not in str(found)
        engine.error = None
        found = await service.answer([digit_png()])
        assert found["predictions"][0]["error"]["kind"] == "not_finite"
        service.close()

    run_coroutine(ask())


def sharper(network: ServedNetwork, step: int) -> ServedNetwork:
    """The same network as if it were a later checkpoint."""
    predictor = network.predictor
    return replace(network, predictor=Predictor(replace(predictor.loaded, step=step), predictor.calibration), mark=step)


def test_a_reload_loses_no_request_and_each_is_answered_by_one_network() -> None:
    engine = GatedEngine()
    old = sharper(serve_network(engine), 1)
    new = sharper(serve_network(), 2)
    networks = iter([old, new])

    async def ask() -> None:
        service = await load(Service(lambda: next(networks), is_newer=lambda network: network.mark == 1))
        before = [asyncio.create_task(service.answer([digit_png()])) for _ in range(5)]
        assert await asyncio.to_thread(engine.entered.wait, 60)
        while sum(engine.sizes) + len(service._batcher._waiting) < 5:  # all five are with the old network
            await asyncio.sleep(0.001)
        assert await service.reload_if_newer()
        after = asyncio.create_task(service.answer([digit_png()]))
        await asyncio.sleep(0)
        engine.gate.set()
        assert [answer["step"] for answer in await asyncio.gather(*before, after)] == [1] * 5 + [2]
        assert not await service.reload_if_newer()
        assert read_metric(service, "cnn_demo_reloads_total", outcome="changed") == 2
        service.close()

    run_coroutine(ask())


def test_a_failed_reload_leaves_what_was_there() -> None:
    network = serve_network()
    results: list[ServedNetwork | Exception] = [network, OSError("/secret"), OSError("/secret"), network]

    def give() -> ServedNetwork:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def ask() -> None:
        service = Service(give, is_newer=lambda _: True)
        assert service.state == "loading"
        with pytest.raises(Refused) as refused:
            await service.answer([digit_png()])
        assert (refused.value.status, refused.value.kind) == (503, "loading")
        await service.reload()
        with pytest.raises(OSError, match="secret"):
            await service.reload()
        assert not await service.reload_if_newer()
        assert service.network is network
        assert service.state == "ready"
        assert not await service.reload()  # the same again
        assert read_metric(service, "cnn_demo_reloads_total", outcome="failed") == 2
        service.begin_stop()
        assert service.state == "stopping"
        assert (await service.answer([digit_png()]))["predictions"][0]["label"] == "7"  # still answered
        service.close()
        with pytest.raises((BatcherClosed, RuntimeError)):
            service._batcher.submit(network.engine, np.zeros((1, 1, 28, 28), np.float32))

    run_coroutine(ask())


def test_one_reload_at_a_time() -> None:
    network, gate, loads = serve_network(), threading.Event(), 0

    def give() -> ServedNetwork:
        nonlocal loads
        loads += 1
        assert loads == 1 or gate.is_set()
        gate.wait(60)
        return network

    async def ask() -> None:
        service = Service(give)
        both = [asyncio.create_task(service.reload()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert service.reloading
        assert loads == 1
        gate.set()
        assert await asyncio.gather(*both) == [True, False]
        service.close()

    run_coroutine(ask())
