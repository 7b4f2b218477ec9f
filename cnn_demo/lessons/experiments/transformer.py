"""Lesson: from a CNN to a transformer and to CLIP."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from cnn_demo.datasets.specs import get_spec
from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.tokens import attention_weights, find_attention
from cnn_demo.lessons import transformer
from cnn_demo.lessons.controls import Choice, Slider, Values
from cnn_demo.lessons.exercises.transformer import ask_questions
from cnn_demo.lessons.lesson import AtWork, Guess, Lesson, Subject
from cnn_demo.lessons.panels import Bar, Bars, Curves, Grid, Line, Panel, Scene, Table, Text
from cnn_demo.lessons.short_training import create_seeded
from cnn_demo.lessons.words import Words, say, write_tex
from cnn_demo.locales import N_
from cnn_demo.models.captions import write_captions
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.models.registry import create_model

_WIDTH = 8  # numbers of a token in the first view
_SHOWN = 6
_DEPTHS = 16

CONTROLS = (
    Choice(
        name="view",
        label=N_("What you look at"),
        options={
            "patches": N_("Patches = convolution"),
            "attention": N_("Attention and its reach"),
            "captions": N_("Images, captions (CLIP)"),
        },
        default="patches",
    ),
    Choice(
        name="patch",
        label=N_("Patch size"),
        options={"2": "2", "4": "4", "7": "7", "14": "14"},
        default="7",
        only=("view", ("patches",)),
    ),
    Slider(name="token", label=N_("Token"), low=0, high=195, default=5, only=("view", ("patches", "attention"))),
    Slider(name="block", label=N_("Transformer block"), low=1, high=6, default=1, only=("view", ("attention",))),
    Slider(name="head", label=N_("Head"), low=1, high=8, default=1, only=("view", ("attention",))),
    Slider(
        name="layers",
        label=N_("Convolutions of 3 × 3 in a row"),
        low=1,
        high=16,
        default=3,
        only=("view", ("attention",)),
    ),
    Choice(
        name="language",
        label=N_("Captions in"),
        options={"en": "English", "zh": "中文"},
        default="en",
        only=("view", ("captions",)),
    ),
)


@lru_cache(maxsize=4)
def make_untrained(name: str, channels: int, size: int) -> nn.Module:
    """A network of the registry with random weights, for visitors whose own network is another one."""
    classes = get_spec("mnist-mini").classes
    options = {"class_names": classes} if name == "clip-small" else {}
    return create_seeded(lambda: create_model(name, channels=channels, size=size, classes=10, **options), 12).eval()


def show_scene(subject: Subject, values: Values) -> Scene:
    """The scene at these values."""
    views = {"patches": _show_patches, "attention": _show_attention, "captions": _show_captions}
    scene = views[values["view"]](subject, values)
    return Scene(rows=scene.rows, numbers=scene.numbers, reveal=[[_draw_depths()]], facts=scene.facts)


@lru_cache(maxsize=1)
def _draw_depths() -> Curves:
    x = torch.arange(1, _DEPTHS + 1)
    seen = torch.stack([transformer.find_seen(33, int(layers)).sum(1).max() for layers in x])
    return Curves(
        name="seen-by-depth",
        title=say(N_("How many pixels across a unit sees after so many convolutions of 3 × 3")),
        lines=[Line(label=say(N_("pixels across")), x=x.numpy(), y=seen.numpy(), dots=True)],
        xlabel=say(N_("Convolutions")),
    )


def _show_patches(subject: Subject, values: Values) -> Scene:
    patch = int(values["patch"])
    side = subject.side // patch * patch
    image = subject.gray[:side, :side] if side else subject.gray
    if side == 0:
        return Scene(rows=[[Text(name="none", lines=[say(N_("This image is smaller than a patch."))])]])
    weight, bias = transformer.draw_embedding(patch, _WIDTH)
    first, second = (
        make(image, weight, bias) for make in (transformer.embed_by_convolution, transformer.embed_by_linear)
    )
    across = side // patch
    token = min(values["token"], across**2 - 1)
    row, column = divmod(token, across)
    cut = image[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
    largest = float((first - second).abs().max())
    rows: list[list[Panel]] = [
        [
            Grid(
                name="image",
                title=say(N_("{n} patches of {p} × {p}; token {t} is ringed"), n=across**2, p=patch, t=token),
                values=image.numpy(),
                colors="gray",
                limits=(0, 1),
                rings=[(row * patch + y, column * patch + x) for y in (0, patch - 1) for x in (0, patch - 1)],
                width=224,
            ),
            Grid(
                name="patch",
                title=say(N_("The patch of token {t}"), t=token),
                values=cut.numpy(),
                colors="gray",
                limits=(0, 1),
                numbers=patch <= 4,
                width=168,
            ),
            Table(
                name="token",
                title=say(N_("The first numbers of token {t}"), t=token),
                head=[say(N_("Number")), say(N_("strided convolution")), say(N_("linear layer"))],
                rows=[[i, float(first[token, i]), float(second[token, i])] for i in range(_SHOWN)],
                note=say(N_("Largest difference over all tokens: {d}. Random weights."), d=largest),
            ),
        ]
    ]
    numbers = rf"T = \left( \frac{{{side}}}{{{patch}}} \right)^2 = {across**2}"
    return Scene(rows=rows, numbers=numbers, facts={"largest": largest})


def _show_attention(subject: Subject, values: Values) -> Scene:
    weights, grid, notice = find_attention_of(subject, values["block"])
    head = min(values["head"], len(weights)) - 1
    token = min(values["token"], weights.shape[1] - 1)
    row = weights[head, token]
    extra = grid[2]
    shares = row[extra:].view(grid[0], grid[1])
    place = [divmod(token - extra, grid[1])] if token >= extra else []
    seen = transformer.find_seen(subject.side, values["layers"])
    who = say(N_("the class token")) if token < extra else say(N_("token {t}"), t=token)
    rows: list[list[Panel]] = [
        [
            Grid(
                name="image",
                title=say(N_("Your image")),
                values=subject.gray.numpy(),
                colors="gray",
                limits=(0, 1),
                width=196,
            ),
            Grid(
                name="attention",
                title=say(N_("Where {who} looks, head {h}"), who=who, h=head + 1),
                values=shares.numpy(),
                limits=(0, float(row.max())),
                rings=place,
                width=196,
            ),
            Grid(
                name="seen",
                title=say(N_("What the middle unit sees after {n} convolutions"), n=values["layers"]),
                values=seen.numpy(),
                colors="gray",
                limits=(0, 1),
                width=196,
            ),
        ],
        [Text(name="notice", lines=[notice])],
    ]
    numbers = rf"\sum_t \text{{weight}}_t = {write_tex(float(row.sum()))}, \quad \max = {write_tex(float(row.max()))}"
    return Scene(rows=rows, numbers=numbers)


@torch.no_grad()
def find_attention_of(subject: Subject, block: int) -> tuple[Tensor, tuple[int, int, int], Words]:
    """The attention weights of a block for the visitor's image.

    Returns:
        ``(heads, T, T)``; rows and columns of the tokens and how many tokens come before them; which network it is.
    """
    own = _run_attention(subject.network.model, subject.batch, block)
    if own is not None:
        return (*own, say(N_("This is your own network.")))
    size = 28 if subject.side < 28 else min(subject.side, 32)
    pixels = nn.functional.interpolate(subject.normalize_gray(subject.gray)[None, None], (size, size))
    made = _run_attention(make_untrained("vit-hybrid", 1, size), pixels, block)
    assert made is not None
    return (
        *made,
        say(N_("Your network has no attention: this is vit-hybrid with random weights. Train it to see more.")),
    )


def _run_attention(model: nn.Module, batch: Tensor, block: int) -> tuple[Tensor, tuple[int, int, int]] | None:
    with capture(model) as maps:
        maps(batch)
    layers = [layer for layer in find_attention(maps.nodes) if layer.grid is not None]
    if not layers:
        return None
    layer = layers[min(block, len(layers)) - 1]
    assert layer.grid is not None
    _depth, height, width = layer.grid.map_shape
    weights = torch.from_numpy(attention_weights(maps, layer))
    return weights, (height, width, layer.tokens - height * width)


@torch.no_grad()
def _show_captions(subject: Subject, values: Values) -> Scene:
    model = subject.network.model
    names = tuple(subject.network.spec.classes)
    own = isinstance(model, ClipSmall)
    batch = subject.batch
    if not isinstance(model, ClipSmall):
        names = tuple(get_spec("mnist-mini").classes)
        model = make_untrained("clip-small", 1, 28)
        batch = nn.functional.interpolate(subject.normalize_gray(subject.gray)[None, None], (28, 28))
    assert isinstance(model, ClipSmall)
    captions = [find_caption(name, values["language"]) for name in names]
    cosines = (model.embed_images(batch) @ model.embed_captions(captions).T)[0]
    shares = (cosines * model.scale).softmax(0)
    best = int(cosines.argmax())
    notice = (
        say(N_("This is your own network."))
        if own
        else say(
            N_("Your network reads no captions: this is clip-small with random weights, so it guesses. Train it first.")
        )
    )
    rows: list[list[Panel]] = [
        [
            Bars(
                name="captions",
                title=say(N_("Share of each caption: softmax of cosine × {scale}"), scale=float(model.scale)),
                bars=[
                    Bar(say(caption), float(share), "first" if i == best else "faint")
                    for i, (caption, share) in enumerate(zip(captions, shares, strict=True))
                ],
                limit=1.0,
                note=notice,
            )
        ]
    ]
    numbers = rf"\cos = {write_tex(float(cosines[best]))}, \quad p = {write_tex(float(shares[best]))}"
    return Scene(rows=rows, numbers=numbers)


def find_caption(name: str, language: str) -> str:
    """The longest caption of a class in a language: Chinese is told by its characters."""
    chinese = [caption for caption in write_captions(name) if any("\u4e00" <= sign <= "\u9fff" for sign in caption)]
    others = [caption for caption in write_captions(name) if caption not in chinese]
    found = chinese if language == "zh" else others
    return max(found or write_captions(name), key=len)


LESSON = Lesson(
    name="transformer",
    idea=N_(
        "Cut the image into patches and make a token of each: that is a convolution whose stride is "
        "its kernel. Then every token asks all others, and takes the mean of what they say, weighted "
        "by how well they fit."
    ),
    formula=r"\text{Attention}(Q, K, V) = \text{softmax}\left( \frac{Q K^{\top}}{\sqrt{d}} \right) V",
    controls=CONTROLS,
    show=show_scene,
    guess=Guess(
        text=N_("How many convolutions of 3 × 3 until the unit in the middle sees all of a 28 × 28 image?"),
        options={"three": "3", "fourteen": "14", "many": "28"},
        answer="fourteen",
        surprise=N_(
            "Each one adds two pixels across; strides and pooling make it faster. Attention sees "
            "everything in its first layer, and must learn from data what is near. CLIP compares such an "
            "image code with that of a sentence."
        ),
    ),
    code=(transformer.embed_by_convolution, transformer.embed_by_linear, transformer.attend),
    ask=ask_questions,
    at_work=(
        AtWork(
            page="pages/inspect/feature_maps.py", label=N_("Attention, live"), params={"net": "untrained:vit-hybrid"}
        ),
        AtWork(page="pages/train/train.py", label=N_("Train vit-hybrid")),
    ),
    source="Dosovitskiy et al. 2021",
)
