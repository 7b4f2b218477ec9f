"""Waits beside a process that trains, or will train, and hands the queue over when that process has ended.

``python -m cnn_demo.runs.watchdog HOME`` reads its standard input: a pipe whose other end only that process holds. The
end of the pipe is the end of the process, however it came about: done, out of memory, kill -9. Nothing is imported
until then, so the wait costs a few megabytes and no processor time.
"""

from __future__ import annotations

import signal
import sys


def main(home: str) -> None:
    """Wait, then record who has died, and start a worker where runs wait.

    Args:
        home: the folder of the runs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    took_run = bool(sys.stdin.buffer.read())

    from pathlib import Path

    from cnn_demo.runs import launcher
    from cnn_demo.runs.store import Store

    if not Path(home).is_dir():
        return  # all runs were deleted meanwhile: make no new folder
    store = Store(Path(home))
    if not took_run:
        launcher.forget_spawn(store)  # the worker that was expected will not come
    launcher.hand_over(store)


if __name__ == "__main__":
    main(sys.argv[1])
