"""The grammar of references: every form comes back from its text, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from cnn_demo.settings.reference import SHIPPED_REF, BadReference, ModelRef


@pytest.mark.parametrize(
    ("text", "kind", "name", "step"),
    [
        ("shipped", "shipped", "", None),
        ("h7k2m9px", "run", "h7k2m9px", None),
        ("h7k2m9px@938", "run", "h7k2m9px", 938),
        ("h7k2m9px@0", "run", "h7k2m9px", 0),
        ("h7k2m9px@best", "run", "h7k2m9px", "best"),
        ("untrained:cnn", "untrained", "cnn", None),
        ("imagenet:resnet18", "imagenet", "resnet18", None),
        ("imagenet:random", "imagenet", "random", None),
    ],
)
def test_every_form_comes_back(text: str, kind: str, name: str, step: object) -> None:
    ref = ModelRef.parse(text)
    assert (ref.kind, ref.name, ref.step) == (kind, name, step)
    assert str(ref) == text
    assert ModelRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a@", "a@last", "a@-1", "@5", "a@5@6", "untrained:", "untrained:a/b", "imagenet:vgg", "a,b"],
)
def test_what_names_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadReference, match="expected shipped, RUN") as caught:
        ModelRef.parse(text)
    assert repr(text) in str(caught.value)


def test_another_step_of_the_same_run() -> None:
    ref = ModelRef.parse("h7k2m9px")
    assert ref.at(5) == ModelRef.parse("h7k2m9px@5")
    assert ref.at("best").at(None) == ref
    assert ModelRef.parse("shipped") == SHIPPED_REF
