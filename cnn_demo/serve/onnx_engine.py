"""The engine that serves: the network as ONNX, run by onnxruntime."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cnn_demo.export.onnx_file import export_onnx
from cnn_demo.export.runtime import Session, open_session
from cnn_demo.prediction.load import LoadedModel


def open_onnx_engine(loaded: LoadedModel) -> Session:
    """Export a network and load it; takes some seconds.

    One thread computes: onnxruntime's others would wait for work by spinning, on the cores that prepare pictures, and
    preparing takes most of the time.

    Raises:
        ExportFailed: ONNX cannot express the network.
        OSError: there is no room for the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(loaded, path)
        return open_session(path, threads=1)
