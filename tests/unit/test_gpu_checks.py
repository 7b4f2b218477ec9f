"""``make gpu`` as rehearsed on the CPU: its quick checks hold, and what goes wrong in one is a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu, gpu_checks


@pytest.mark.parametrize("name", ["no waiting", "out of memory", "TensorRT"])
def test_a_check_runs_through_on_the_cpu(name: str) -> None:
    outcome = gpu_checks.CHECKS[name][0]("cpu")
    assert outcome.status == ("not here" if name == "TensorRT" else "reached"), outcome
    json.dumps(outcome.data)
    if name == "out of memory":
        assert "512 do not fit, 64 do" in outcome.figure


def test_what_would_wait_is_counted() -> None:
    values = torch.arange(3.0)
    with gpu_checks.Waits() as waits:
        (values * 2).sum()
        assert waits.found == {}
        values[1].item()
        values[values > 1]
        torch.tensor([1.0])
    assert waits.found == {"_local_scalar_dense": 1, "index": 1, "lift_fresh": 1}


def test_losses_that_differ_are_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_checks, "MODELS", [gpu_checks.MODELS.get("cnn-tiny")])
    assert gpu_checks.compare_losses("cpu").status == "reached"
    real = gpu_checks.train_on_one_batch

    def wrong(config: Any, *args: Any) -> list[float]:
        return [loss * (1.1 if config.precision == "bf16" else 1) for loss in real(config, *args)]

    monkeypatch.setattr(gpu_checks, "train_on_one_batch", wrong)
    outcome = gpu_checks.compare_losses("cpu")
    assert outcome.status == "MISSED"
    assert "cnn-tiny bf16 off by 0.1" in outcome.figure


def test_results_are_kept_and_tabled_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(device: str) -> gpu_checks.Outcome:
        raise RuntimeError(f"no {device}")

    monkeypatch.setitem(gpu_checks.CHECKS, "resume", (break_down, 5))
    gpu.run_one("resume", "cpu")
    result = json.loads(capsys.readouterr().out)
    assert (result["status"], result["figure"]) == ("FAILED", "RuntimeError: no cpu")

    monkeypatch.setattr(gpu, "run_apart", lambda name, device, seconds: {"check": name, **result, "seconds": 1.0})
    assert gpu.main(["--device", "cpu", "--only", "resume", "--json", str(tmp_path / "new" / "gpu.json")]) == 1
    assert "| resume | FAILED | RuntimeError: no cpu | 1 s |" in capsys.readouterr().out
    kept = json.loads((tmp_path / "new" / "gpu.json").read_text())
    assert kept["machine"]["torch"] == torch.__version__
    assert [r["check"] for r in kept["results"]] == ["resume"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_the_rehearsal_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 2
    assert "--device cpu" in capsys.readouterr().err
