"""One grammar for naming a network: in the address bar, on the command line, in ``TrainConfig.init``, in caches.

``shipped``, ``RUN``, ``RUN@STEP``, ``RUN@best``, ``untrained:NAME``, ``imagenet:resnet18``, ``imagenet:random``.

Nothing here looks at a disk: whether there is such a network is found out when it is loaded
(``cnn_demo.prediction.load``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["shipped", "run", "untrained", "imagenet"]
Step = int | Literal["best"] | None

PHOTO_NETWORKS = ("resnet18", "random")
_RUN = re.compile(r"(?!shipped@)([A-Za-z0-9_-]{1,40})(?:@([0-9]{1,12}|best))?")
_UNTRAINED = re.compile(r"untrained:([A-Za-z0-9_.-]{1,40})")


class BadReference(ValueError):
    """A text that names no network.

    Attributes:
        text: what was given.
    """

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} names no network: expected shipped, RUN, RUN@STEP, RUN@best, untrained:NAME, "
            + " or ".join(f"imagenet:{name}" for name in PHOTO_NETWORKS)
        )
        self.text = text


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The name of a network.

    Attributes:
        kind: ``shipped``, ``run``, ``untrained`` or ``imagenet``.
        name: the id of the run, the name of the model, or one of :data:`PHOTO_NETWORKS`; empty for ``shipped``.
        step: of a run: the checkpoint after this many steps, ``best`` by validation, or None. None means the newest
            checkpoint of a run that trains, and of one that has ended the best where one was recorded, else the newest.
    """

    kind: Kind
    name: str = ""
    step: Step = None

    def __str__(self) -> str:
        if self.kind == "shipped":
            return "shipped"
        if self.kind == "run":
            return self.name if self.step is None else f"{self.name}@{self.step}"
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read what ``str`` of a reference gives.

        Raises:
            BadReference: it names no network.
        """
        if text == "shipped":
            return cls("shipped")
        if text in [f"imagenet:{name}" for name in PHOTO_NETWORKS]:
            return cls("imagenet", text.partition(":")[2])
        untrained = _UNTRAINED.fullmatch(text)
        if untrained:
            return cls("untrained", untrained[1])
        run = _RUN.fullmatch(text)
        if not run:
            raise BadReference(text)
        step: Step = run[2] if run[2] is None or run[2] == "best" else int(run[2])  # type: ignore[assignment]
        return cls("run", run[1], step)

    def at(self, step: Step) -> ModelRef:
        """The same run at another step."""
        return ModelRef(self.kind, self.name, step)


SHIPPED_REF = ModelRef("shipped")
