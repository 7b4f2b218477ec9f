"""The small vision transformer against PyTorch's own attention and encoder layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.models.registry import count_parameters, create_model
from cnn_demo.models.vit_hybrid import Attention, Block, VitHybrid


def test_attention_is_scaled_dot_product_attention() -> None:
    torch.manual_seed(0)
    attention = Attention(24, 3).double()
    x = torch.randn(2, 10, 24, dtype=torch.float64)
    q, k, v = (
        F.linear(x, part.weight, part.bias).reshape(2, 10, 3, 8).permute(0, 2, 1, 3)  # (N, T, D) -> (N, heads, T, d)
        for part in (attention.query, attention.key, attention.value)
    )
    mixed = F.scaled_dot_product_attention(q, k, v).permute(0, 2, 1, 3).reshape(2, 10, 24)
    wanted = F.linear(mixed, attention.out.weight, attention.out.bias)
    torch.testing.assert_close(attention(x), wanted, rtol=0, atol=1e-14)


def test_a_block_is_a_pre_norm_encoder_layer() -> None:
    torch.manual_seed(0)
    block = Block(16, 4, dropout=0.1).double().eval()
    theirs = nn.TransformerEncoderLayer(16, 4, 64, activation="gelu", batch_first=True, norm_first=True).double().eval()
    ours = block.attention
    projections = (ours.query, ours.key, ours.value)
    weights = {
        "self_attn.in_proj_weight": torch.cat([part.weight for part in projections]),
        "self_attn.in_proj_bias": torch.cat([part.bias for part in projections]),
    }
    pairs: dict[str, nn.Linear | nn.LayerNorm] = {
        "self_attn.out_proj": ours.out,
        "linear1": block.fc1,
        "linear2": block.fc2,
    }
    pairs |= {"norm1": block.norm1, "norm2": block.norm2}
    for name, module in pairs.items():
        weights |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    theirs.load_state_dict(weights)
    x = torch.randn(3, 9, 16, dtype=torch.float64)
    torch.testing.assert_close(block(x), theirs(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("size", "places"), [(28, 49), (32, 64), (30, 49), (4, 1)])
def test_tokens_are_a_class_token_and_one_for_each_place(size: int, places: int) -> None:
    model = VitHybrid(3, size, 7)
    assert model.positions.shape == (1, 1 + places, 64)
    assert model(torch.randn(2, 3, size, size)).shape == (2, 7)


def test_parameters_by_hand_and_options() -> None:
    stem = 16 * 32 + 32 + 2 * 32 + 32 * 64 * 16 + 64
    block = 4 * (64 * 64 + 64) + 2 * 2 * 64 + 64 * 256 + 256 + 256 * 64 + 64
    ends = 50 * 64 + 2 * 64 + 64 * 10 + 10
    assert count_parameters(create_model("vit-hybrid")) == stem + 3 * block + ends
    small = create_model("vit-hybrid", depth=1, heads=2, head_width=4, dropout=0.0)
    assert isinstance(small, VitHybrid)
    assert len(small.blocks) == 1
    assert small.positions.shape[-1] == 8


def test_the_class_token_sees_the_image_through_attention_only() -> None:
    torch.manual_seed(0)
    model = VitHybrid().eval()
    x, y = torch.randn(2, 1, 1, 28, 28)
    assert not torch.allclose(model(x), model(y))
    for attention in (module for module in model.modules() if isinstance(module, Attention)):
        nn.init.zeros_(attention.out.weight)
    torch.testing.assert_close(model(x), model(y))


def test_images_that_are_too_small() -> None:
    with pytest.raises(ValueError, match="size = 3"):
        create_model("vit-hybrid", size=3)
