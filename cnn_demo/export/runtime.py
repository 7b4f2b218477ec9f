"""An exported network run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Session:
    """An ONNX file that onnxruntime has loaded; several threads may share it.

    Args:
        content: the bytes of the file.
        threads: that compute one pass; 0 for one on each core.
    """

    def __init__(self, content: bytes, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def compute_logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(N, classes)`` of normalized images ``(N, C, H, W)``."""
        (logits,) = self._session.run(None, {self._input: images})
        return np.asarray(logits, dtype=np.float32)


def open_session(path: Path, threads: int = 0) -> Session:
    """Load an ONNX file; see :class:`Session`.

    Raises:
        OSError: the file cannot be read.
    """
    return Session(path.read_bytes(), threads)
