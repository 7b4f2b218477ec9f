"""The same images each time, and what PyTorch says of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnn_demo.datasets.specs import get_spec
from cnn_demo.export.reference_answers import COUNT, make_reference_answers
from cnn_demo.models.registry import create_model
from tests.made_networks import as_loaded


@pytest.mark.parametrize("dataset", ["mnist-mini", "fashion-mnist", "cifar10"])
def test_reference_answers(dataset: str) -> None:
    spec = get_spec(dataset)
    torch.manual_seed(0)
    model = create_model("cnn-tiny", channels=spec.channels, size=spec.size).eval()
    loaded = as_loaded(model, dataset)
    first, second = make_reference_answers(loaded), make_reference_answers(loaded)
    assert first.inputs.shape == (COUNT, spec.channels, spec.size, spec.size)
    assert np.array_equal(first.inputs, second.inputs)
    with torch.no_grad():
        wanted = model(torch.from_numpy(first.inputs)).numpy()
    assert np.allclose(first.logits, wanted, atol=1e-6)
    assert len(np.unique(first.inputs.reshape(COUNT, -1), axis=0)) == COUNT
    assert first.compare(second.logits) == (0, 0)
    changed = first.logits.copy()
    changed[3] = changed[3][::-1] + 5
    changed[3, np.argmin(first.logits[3])] += 100
    others, difference = first.compare(changed)
    assert others == 1
    assert difference > 100
