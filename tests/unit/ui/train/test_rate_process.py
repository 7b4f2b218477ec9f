"""The range test in its process: an answer, a clear word, one at a time."""

from __future__ import annotations

from cnn_demo.settings.config import TrainConfig
from cnn_demo.ui.train.rate_process import Slot

TINY = TrainConfig.from_values({"model": "cnn-tiny", "width": 4, "batch_size": 16, "device": "cpu"})


def test_one_at_a_time_gives_an_answer() -> None:
    slot = Slot()
    test = slot.start(TINY)
    assert test is not None
    assert slot.busy
    assert slot.start(TINY) is None
    assert test.wait(120)
    assert not slot.busy
    assert test.answer["model"] == "cnn-tiny"
    assert test.answer["points"]
    assert test.progress > 0.3
    assert not test.problem


def test_what_the_machine_cannot_do_is_answered_and_a_stop_ends_it() -> None:
    slot = Slot()
    test = slot.start(TINY.replace(device="cuda:7"))
    assert test is not None
    assert test.wait(120)
    assert test.answer["config_error"]["field"] == "device"
    stopped = slot.start(TINY)
    assert stopped is not None
    stopped.stop()
    assert stopped.wait(30)
    assert stopped.stopped
    assert stopped.answer == {}
