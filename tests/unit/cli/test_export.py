"""The command ``export``: a file where it was asked for, one JSON object, and clear refusals."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path

import pytest

from cnn_demo.cli import main
from cnn_demo.export import receipt


def test_an_html_file_is_made_where_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["export", "untrained:cnn-tiny", "--format", "html", "--out", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    file = told["files"]["html"]
    assert Path(file["path"]) == folder / "untrained-cnn-tiny.html"
    assert file["bytes"] == Path(file["path"]).stat().st_size
    assert (told["network"], told["receipt"]) == ("untrained:cnn-tiny", None)


def test_what_was_bundled_can_be_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--format", "bundle", "--out", str(tmp_path), "--no-disturbed"]
    assert main(["export", "untrained:lenet5", *flags]) == 0
    assert "untrained-lenet5.zip" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "untrained-lenet5.zip")]) == 0


def test_what_cannot_be_exported_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "untrained:resnet18", "--format", "html", "--out", str(tmp_path)]) == 1
    assert "at most 15 MB" in capsys.readouterr().err
    assert main(["export", "no-such-run", "--format", "html", "--out", str(tmp_path)]) == 1
    assert "no-such-run" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["export", "--format", "floppy"])
    assert ended.value.code == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == []


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def fill_up(self: Path, content: bytes) -> int:
        real(self, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    assert main(["export", "untrained:cnn-tiny", "--format", "html", "--out", str(tmp_path / "out"), "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["error"]["message"].startswith("The disk is full")
    assert told.err.splitlines()[-1] == "error: The disk is full: there is no room for the files."
    assert list((tmp_path / "out").iterdir()) == []


def test_the_receipt_compares_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--format", "onnx", "int8", "weights", "--images", "32", "--method", "percentile", "--keep", "fc"]
    assert main(["export", "untrained:cnn-tiny", *flags, "--out", str(tmp_path), "--receipt", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = {row["format"]: row for row in told["receipt"]["rows"]}
    assert list(rows) == ["pytorch", "onnx", "int8", "weights"]
    assert all(row["n"] == 2000 for row in rows.values())
    assert rows["weights"]["largest"] == 0
    assert 0 < rows["onnx"]["largest"] < 1e-4
    assert json.loads((tmp_path / "untrained-cnn-tiny.receipt.json").read_text()) == told["receipt"]

    real = receipt.LIMITS["int8"]
    monkeypatch.setitem(receipt.LIMITS, "int8", dataclasses.replace(real, agreement=1.01))
    flags = ["--format", "int8", "--images", "32", "--out", str(tmp_path), "--receipt"]
    assert main(["export", "untrained:cnn-tiny", *flags]) == 1
    assert "DOES NOT HOLD: It gives PyTorch's answer for" in capsys.readouterr().out


def test_a_wrong_option_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--format", "int8", "--images", "3"])
    assert "a whole number from 16 to 4096" in capsys.readouterr().err
    flags = ["--format", "int8", "--images", "16", "--keep", "conv9", "--out", str(tmp_path)]
    assert main(["export", "untrained:cnn-tiny", *flags]) == 1
    assert "No layer is called conv9; there are: conv1, conv2, conv3, fc" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name != "runs-home"] == []


def test_calibrations_are_compared_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_demo.export import int8

    monkeypatch.setattr(int8, "COUNTS", (32,))
    assert main(["export", "untrained:cnn-tiny", "--format", "int8", "--compare", "--out", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[0].rstrip(",") for line in lines] == ["fp32", "minmax", "entropy", "percentile"]
    assert all("2,048 other training images" in " ".join(line) for line in lines)


def test_what_must_hold_is_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--format", "onnx", "--out", str(tmp_path), "--receipt", "--most-difference"]
    assert main(["export", "untrained:cnn-tiny", *flags, "0"]) == 1
    assert "expected at most 0." in capsys.readouterr().out
    assert main(["export", "untrained:cnn-tiny", *flags, "0.5"]) == 0
    with pytest.raises(SystemExit):
        main(["export", "untrained:cnn-tiny", *flags, "nan"])
    assert "a number from 0 to 1000" in capsys.readouterr().err
