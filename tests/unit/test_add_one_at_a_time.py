"""The table of what each strategy buys: every strategy is a run that there is, and gains are taken seed by seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import add_one_at_a_time as bench
from cnn_demo.settings.summary import list_differences


@pytest.mark.parametrize("name", bench.STRATEGIES)
def test_each_strategy_changes_one_thing(name: str) -> None:
    base, changed = (bench.configure(n, "mnist-mini", 5, 0, "cpu") for n in ("textbook", name))
    differences = {difference.setting.name for difference in list_differences(base, changed)}
    assert bool(differences) == bool(bench.STRATEGIES[name]) == (name != "textbook")
    assert set(bench.STRATEGIES[name]) <= differences


def test_runs_are_kept_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int]] = []

    def pretend(config: Any) -> dict[str, Any]:
        asked.append((config.schedule, config.seed))
        accuracy = 0.98 + 0.001 * config.seed + (0.005 + 0.001 * config.seed) * (config.schedule == "cosine")
        return {"accuracy": accuracy, "loss": 0.1, "n": 2000, "seconds": 3.0 if config.schedule == "cosine" else 2.0}

    monkeypatch.setattr(bench, "train", pretend)
    options = ["--only", "textbook", "--only", "cosine", "--results", str(tmp_path / "new" / "rows.jsonl")]
    bench.main([*options, "--seeds", "1"])
    bench.main([*options, "--seeds", "3"])
    assert asked == [(schedule, seed) for seed in range(3) for schedule in ("constant", "cosine")]
    assert len((tmp_path / "new" / "rows.jsonl").read_text().splitlines()) == 6
    assert json.loads((tmp_path / "new" / "rows.jsonl").read_text().splitlines()[0])["n"] == 2000
    # Gains of 0.5, 0.6 and 0.7 points: mean 0.6, standard deviation 0.1.
    assert "| cosine | 98.70 % [98.50, 98.90] (n = 3) | +0.60 ± 0.10 | 1.50 × |" in capsys.readouterr().out
