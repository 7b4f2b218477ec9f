"""Exports in a process: shared, bounded, kept whole or not at all; and what is told when something fails."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from cnn_demo.ui.export.export_process import ExportJobs, Wish, write_options

WISH = Wish("shipped", ("weights",))
GOOD = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.stderr.write("\\rweights  50%")
sys.stderr.flush()
(folder / "a.bin").write_bytes(b"12345")
print(json.dumps({"files": {"weights": {"path": str(folder / "a.bin"), "bytes": 5}}, "receipt": None}))
"""


def use(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(Wish, "write_command", lambda self, folder: [sys.executable, "-c", script, str(folder)])


def test_the_command_line_of_a_wish() -> None:
    values = {"images": 64, "keep": "", "engine_precision": "fp16", "compare": False}
    wish = Wish("abc@120", ("onnx", "int8"), write_options(values))
    command = wish.write_command(Path("out"))
    assert command[1:6] == ["-m", "cnn_demo", "export", "abc@120", "--format"]
    flags = ["--images", "64", "--engine-precision", "fp16", "--no-compare"]
    assert command[6:] == ["onnx", "int8", "--out", "out", "--json", *flags, "--receipt"]
    assert wish.key == Wish("abc@120", ("onnx", "int8"), write_options(values)).key != WISH.key


def test_what_was_made_is_kept_and_a_damaged_file_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, GOOD)
    jobs = ExportJobs(tmp_path)
    assert jobs.load(WISH) is None
    job = jobs.start(WISH)
    assert job is not None
    assert job.wait(60)
    assert job.problem == ""
    assert (job.what, job.part) == ("weights", 0.5)
    found = ExportJobs(tmp_path).load(WISH)  # also after a restart
    assert found is not None
    path = Path(found["files"]["weights"]["path"])
    assert path.read_bytes() == b"12345"
    path.write_bytes(b"123")
    assert jobs.load(WISH) is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import sys; sys.exit('error: no such network')", "no such network"),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9"),
        ("print('no json')", "exit status 0"),
        ("import sys; sys.exit('\\rhtml  50%\\nerror: it broke')", "it broke"),
        (
            "import json; print(json.dumps({'error': {'message': 'no {what}', 'values': {'what': 'room'}}}))",
            "no room",
        ),
    ],
)
def test_a_failure_is_told_and_leaves_nothing(
    script: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, script)
    jobs = ExportJobs(tmp_path)
    job = jobs.start(WISH)
    assert job is not None
    assert job.wait(60)
    assert job.problem.format(**job.values) == expected
    assert jobs.load(WISH) is None
    assert list(tmp_path.iterdir()) == []


def test_who_asks_for_the_same_joins_and_others_wait_for_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "import time; time.sleep(60)")
    jobs = ExportJobs(tmp_path, most_waiting=2)
    first, again = jobs.start(WISH), jobs.start(WISH)
    other = jobs.start(Wish("shipped", ("pt2",)))
    assert first is not None
    assert first is again
    assert other is not None
    deadline = time.monotonic() + 30
    while first.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not first.waiting
    assert other.waiting
    assert jobs.start(Wish("shipped", ("html",))) is None  # too many
    other.stop()
    first.stop()
    assert first.wait(30)
    assert other.wait(30)
    assert first.stopped
    assert not (tmp_path / WISH.key).exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    job = ExportJobs(blocked).start(WISH)
    assert job is not None
    assert job.wait(60)
    assert "file" in job.problem.format(**job.values)


def test_the_oldest_folders_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, GOOD)
    jobs = ExportJobs(tmp_path, kept=2)
    wishes = [Wish("shipped", ("weights",), (("--images", str(n)),)) for n in range(4)]
    for wish in wishes:
        job = jobs.start(wish)
        assert job is not None
        assert job.wait(60)
    assert [jobs.load(wish) is not None for wish in wishes] == [False, False, True, True]
