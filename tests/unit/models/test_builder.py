"""A model put together from a list of layers: it computes, trains, resumes and is opened again."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import list_specs
from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.trace import trace_unit
from cnn_demo.models.builder import create_built_model
from cnn_demo.models.layer_blocks import ResidualBlock, SEBlock
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.events import CheckpointDue, Snapshot
from cnn_demo.training.loop import fit
from cnn_demo.training.snapshot import save_checkpoint
from tests.unit.models.test_layer_plan import EVERY_KIND

LAYERS = "v1; conv channels=4 stride=2; batch-norm; relu; residual channels=8 stride=2; se; dropout; flatten; linear"


def test_the_default_works_on_every_data_set() -> None:
    for spec in list_specs():
        model = create_model("builder", channels=spec.channels, size=spec.size, classes=len(spec.classes))
        x = torch.randn(2, spec.channels, spec.size, spec.size)
        assert model(x).shape == (2, len(spec.classes))


def test_a_residual_block_computes_what_functional_computes() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(3, 5, stride=2).eval()
    w = dict(block.named_parameters())
    x = torch.randn(2, 3, 7, 7)
    scale = (1 + 1e-5) ** -0.5  # fresh statistics: mean 0, variance 1
    out = F.relu(F.conv2d(x, w["conv1.weight"], stride=2, padding=1) * scale)
    out = F.conv2d(out, w["conv2.weight"], padding=1) * scale
    out = F.relu(out + F.conv2d(x, w["shortcut.0.weight"], stride=2) * scale)
    torch.testing.assert_close(block(x), out)


def test_a_squeeze_and_excitation_block_computes_what_functional_computes() -> None:
    torch.manual_seed(0)
    block = SEBlock(6, 2)
    w = dict(block.named_parameters())
    x = torch.randn(2, 6, 4, 4)
    hidden = F.linear(x.mean((2, 3)), w["down.weight"].flatten(1), w["down.bias"]).clamp(min=0)
    gate = torch.sigmoid(F.linear(hidden, w["up.weight"].flatten(1), w["up.bias"]))  # (N, C)
    torch.testing.assert_close(block(x), x * gate[:, :, None, None])


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="a window that fits"):
        create_built_model(1, 4, 10, "v1; conv kernel=5 padding=0")


def test_it_trains_and_resumes_bit_identically_and_is_loaded_again(tmp_path: Path) -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(200)), full.test.take(torch.arange(50)))
    config = TrainConfig(model="builder", options={"layers": LAYERS}, epochs=2, batch_size=64, device="cpu")

    def run(resume: Snapshot | None = None) -> list[Snapshot]:
        events = fit(config, dataset=data, resume=resume)
        return [copy.deepcopy(event.capture()) for event in events if isinstance(event, CheckpointDue)]

    whole = run()
    again = run(next(s for s in whole if s.step == 4))
    for name, value in whole[-1].weights.items():
        assert torch.equal(value, again[-1].weights[name]), name
    loaded = load_folder(save_checkpoint(tmp_path / "checkpoints", whole[-1])).model
    assert torch.equal(loaded.get_parameter("logits.weight"), whole[-1].weights["logits.weight"])


def test_every_layer_is_taken_apart_to_the_number_of_pytorch() -> None:
    torch.manual_seed(0)
    model = create_built_model(1, 28, 10, EVERY_KIND)
    for _ in range(3):  # running statistics that are not those of a fresh network
        model.train()(torch.randn(8, 1, 28, 28))
    model.eval()
    image = torch.randn(1, 1, 28, 28)
    dice = random.Random(0)
    with capture(model) as maps:
        maps(image)
        for name, node in maps.nodes.items():
            unit = [dice.randrange(n) for n in node.shape[1:]]
            for step in trace_unit(maps, name, *unit).steps:
                assert step.difference == pytest.approx(0, abs=1e-5 * max(1, abs(step.captured))), (name, step)
