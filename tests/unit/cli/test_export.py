"""The command ``export``: a file where it was asked for, one JSON object, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnn_demo.cli import main


def test_an_html_file_is_made_where_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["export", "untrained:cnn-tiny", "--format", "html", "--out", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert Path(told["path"]) == folder / "untrained-cnn-tiny.html"
    assert told["bytes"] == Path(told["path"]).stat().st_size
    assert (told["network"], told["format"]) == ("untrained:cnn-tiny", "html")


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
