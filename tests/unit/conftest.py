"""Unit tests compute on one thread: tiny tensors gain nothing from more, and a busy machine loses much."""

from __future__ import annotations

import sys

import pytest

from tests.mirrors import mirror, served, small

__all__ = ["mirror", "served", "small"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
