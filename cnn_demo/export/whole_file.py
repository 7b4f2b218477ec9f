"""A file comes to the disk whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replace_when_whole(path: Path) -> Iterator[Path]:
    """Give a place to write to; what was written there takes the place of ``path`` when the block ends well.

    What fails or is interrupted leaves what was there before, and nothing half written.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there before.

    Raises:
        OSError: it cannot be written.
    """
    with replace_when_whole(path) as unfinished:
        unfinished.write_bytes(content)
