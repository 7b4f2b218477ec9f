"""Fine-tuning: where a run's first weights and its extra samples come from, and what the training changed.

Both are copied into the run's folder when it first starts, so that a resumed run finds them as they were, whatever has
become of the other run or of the collection since.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.locales import N_
from cnn_demo.prediction.shipped import SHIPPED
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.errors import HIDDEN
from cnn_demo.settings.reference import ModelRef
from cnn_demo.settings.stored import load_stored_config

if TYPE_CHECKING:
    from torch import Tensor

    from cnn_demo.datasets.load import Dataset
    from cnn_demo.datasets.splits import Split
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.runs.store import Store

DRAWINGS, REPORT = "collection.safetensors", "before-after.json"
FRESH_HEAD = "fresh_head"  # the mark of a run whose last layer does not come from the network that it began with


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy (0 to 1) on ``n`` samples."""

    accuracy: float
    n: int


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """What fine-tuning changed.

    Attributes:
        dataset: whose test split was measured.
        origin: the data set that the first weights were trained on.
        test_before, test_after: on the test split; ``after`` is None until the run has ended.
        drawings_before, drawings_after: on the collected drawings, which were trained on; None where there are none.
    """

    dataset: str
    origin: str
    test_before: Score
    drawings_before: Score | None
    test_after: Score | None = None
    drawings_after: Score | None = None


def load_origin(store: Store, init: str) -> LoadedModel:
    """The model that ``TrainConfig.init`` names.

    Raises:
        ConfigError: there is no such run.
        CheckpointUnreadable: it has no such checkpoint, or its files are damaged.
    """
    from cnn_demo.prediction.load import load_model

    try:
        return load_model(ModelRef.parse(init), store)
    except RunNotFound as error:
        raise ConfigError("init", init, N_("a run that is still here")) from error


def prepare_fine_tuning(
    store: Store, run: Run, data: Dataset, *, fresh: bool
) -> tuple[dict[str, Tensor] | None, Split | None]:
    """What :func:`cnn_demo.training.loop.fit` needs as ``initial_weights`` and ``extra_samples``.

    Args:
        store: the run store.
        run: the run that starts or goes on.
        data: its data set.
        fresh: it starts from step 0; else the weights come from a checkpoint of its own, and none are given here.

    Returns:
        The weights, without those of the last layer where the data set has other classes than the network that they
        come from: the layer then begins afresh, and the run is marked :data:`FRESH_HEAD`. And the drawings.

    Raises:
        ConfigError: the run or the collection that is named is not here, or does not fit.
        CheckpointUnreadable: the first weights cannot be read.
    """
    config = run.config
    drawings = _load_drawings(store, run, data) if config.collection else None
    if not config.init or not fresh:
        return None, drawings
    check_origin(store, config)
    origin = load_origin(store, config.init)
    if origin.spec.classes != data.spec.classes:
        from cnn_demo.training.transfer import drop_head

        weights = drop_head(origin.model, config.model)
        if len(weights) < len(origin.model.state_dict()) and not has_fresh_head(store, run):
            store.add_mark(run.id, FRESH_HEAD, 0, 0.0)
        return weights, drawings
    _measure_before(store.folder(run.id), origin, data, drawings)
    return origin.model.state_dict(), drawings


def check_origin(store: Store, config: TrainConfig) -> None:
    """Look whether a run can begin with the network that it names, as far as the two settings tell. Needs no torch.

    Raises:
        ConfigError: there is no such run, it is of another model, or for images of another shape.
    """
    if not config.init:
        return
    origin = _read_origin(store, config.init)
    if origin.model != config.model:
        as_in = {"model": origin.model, "init": config.init}
        raise ConfigError("model", config.model, N_("{model}, as in {init}"), **as_in)
    there, here = get_spec(origin.dataset), get_spec(config.dataset)
    if there.channels != here.channels:
        message = N_("a network for images of {wanted}, as {dataset} has them; this one takes {found}")
        shapes = {"wanted": _describe_images(here), "found": _describe_images(there)}
        raise ConfigError("init", config.init, message, dataset=config.dataset, **shapes)


def _read_origin(store: Store, init: str) -> TrainConfig:
    ref = ModelRef.parse(init)
    try:
        if ref.kind == "shipped":
            return load_stored_config(json.loads((SHIPPED / "checkpoint.json").read_text("utf-8"))["config"]).config
        return store.get(ref.name).config
    except (RunNotFound, FileNotFoundError) as error:
        raise ConfigError("init", init, N_("a run that is still here")) from error


def _describe_images(spec: DatasetSpec) -> str:
    return f"{spec.channels} × {spec.size} × {spec.size}"


def has_fresh_head(store: Store, run: Run) -> bool:
    """Whether a run began with the weights of another network but for the last layer, as the classes are others."""
    return bool(run.config.init) and any(mark.kind == FRESH_HEAD for mark in store.marks(run.id))


def _load_drawings(store: Store, run: Run, data: Dataset) -> Split:
    """The drawings of a run's collection, as they were when the run first started."""
    from safetensors.torch import load_file, save

    from cnn_demo.datasets.splits import Split
    from cnn_demo.runs.collection import Collection

    path = store.folder(run.id) / DRAWINGS
    if not path.is_file():
        split = Collection(store.home / "collection", run.config.collection).split(data.spec)
        if not len(split):
            raise ConfigError("collection", HIDDEN, N_("a collection with drawings for this data set"))
        draft = path.with_suffix(".draft")
        draft.write_bytes(save({"images": split.images.contiguous(), "labels": split.labels}))
        draft.replace(path)
    kept = load_file(path)
    return Split(kept["images"], kept["labels"])


def _measure_before(folder: Path, origin: LoadedModel, data: Dataset, drawings: Split | None) -> None:
    report = BeforeAfter(
        dataset=data.spec.name,
        origin=origin.config.dataset,
        test_before=_score(origin, data.test),
        drawings_before=_score(origin, drawings) if drawings is not None else None,
    )
    _write(folder, report)


def measure_after(store: Store, run: Run, data: Dataset, drawings: Split | None) -> None:
    """Measure a fine-tuned run as its beginning was measured: what its name stands for once it has ended, the best
    checkpoint by validation, or the newest where nothing was validated. Nothing for other runs.
    """
    from cnn_demo.prediction.load import load_model

    before = load_report(store, run.id)
    if before is None:
        return
    now = load_model(ModelRef("run", run.id, "best" if store.best_checkpoint(run.id) else None), store)
    after = dataclasses.replace(
        before,
        test_after=_score(now, data.test),
        drawings_after=_score(now, drawings) if drawings is not None else None,
    )
    _write(store.folder(run.id), after)


def _score(model: LoadedModel, split: Split) -> Score:
    from cnn_demo.datasets.device_dataset import DeviceDataset
    from cnn_demo.training.evaluate import evaluate
    from cnn_demo.training.objectives import create_objective

    objective = create_objective(model.config.model, model.spec, "cpu")
    result = evaluate(model.model, DeviceDataset(split, model.spec, "cpu"), objective)
    return Score(result.accuracy, result.n)


def _write(folder: Path, report: BeforeAfter) -> None:
    draft = folder / f".{REPORT}"
    draft.write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")
    draft.replace(folder / REPORT)


def load_report(store: Store, run_id: str) -> BeforeAfter | None:
    """The figures of a fine-tuned run; None for other runs, or before they are measured."""
    try:
        data: dict[str, Any] = json.loads((store.folder(run_id) / REPORT).read_text(encoding="utf-8"))
        scores = {
            name: Score(**data[name]) if data[name] else None
            for name in ("test_after", "drawings_before", "drawings_after")
        }
        before = Score(**data["test_before"])
        return BeforeAfter(dataset=data["dataset"], origin=data["origin"], test_before=before, **scores)
    except (OSError, ValueError, KeyError, TypeError):
        return None
