"""The model card of a bundle: what was learnt from what, how, how well, how it fares when disturbed, and its limits.

After Mitchell et al., "Model Cards for Model Reporting", 2019; written from the checkpoint's own record.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnn_demo.export.asking import wilson_interval
from cnn_demo.export.robustness import Disturbed
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.settings.summary import list_told, title_of


@dataclass(frozen=True, slots=True)
class Counted:
    """Right answers on a data set.

    Attributes:
        dataset: its name.
        correct: how many answers were right.
        n: of how many.
    """

    dataset: str
    correct: int
    n: int


def write_model_card(
    loaded: LoadedModel, calibration: Calibration | None, counted: Counted | None, disturbed: list[Disturbed]
) -> str:
    """A model card in Markdown.

    Args:
        loaded: the network.
        calibration: of these weights, or None.
        counted: right answers of the exported model on the whole test split; None where the data set is not at hand.
        disturbed: what :func:`cnn_demo.export.robustness.measure_robustness` found.
    """
    config, spec = loaded.config, loaded.spec
    size = sum(p.numel() for p in loaded.model.parameters())
    state = (
        f"Trained for {loaded.step:,} steps ({loaded.epoch:g} epochs)."
        if loaded.pretrained
        else "**Its weights are random: it was never trained, and its answers mean nothing.**"
    )
    told = "\n".join(f"| {setting.title} | {title_of(setting, value)} |" for setting, value in list_told(config))
    parts = [
        f"# Model card: {loaded.key}",
        f"{MODELS.get(config.model).title}, {size:,} parameters. {state}",
        f"It takes images of {spec.channels} × {spec.size} × {spec.size} and tells {len(spec.classes)} classes apart: "
        f"{', '.join(spec.classes)}.",
        "## Data",
        f"{spec.title}. Trained on {spec.train_title}; judged on {spec.test_title}.",
        f"Source: {spec.source}. License: {spec.license}.",
        "## Recipe",
        f"| setting | value |\n| --- | --- |\n{told}" + (f"\n\n{config.comment}" if config.comment else ""),
        "## How good it is",
        _describe_accuracy(counted),
        _describe_calibration(calibration),
        "## When images are disturbed",
        _describe_robustness(disturbed, spec.test_title),
        "## Limits",
        _describe_limits(loaded),
        "## License",
        "The weights belong to whoever trained them. The code of the preparation comes from CNN Lab, under the MIT "
        "license; the license of the data is named above.",
    ]
    return "\n\n".join(parts) + "\n"


def _with_interval(correct: int, n: int) -> str:
    low, high = wilson_interval(correct, n)
    return f"{correct / n:.2%} | {low:.2%} to {high:.2%} | {n:,}"


def _describe_accuracy(counted: Counted | None) -> str:
    if counted is None:
        return "The test images were not at hand when this was made, so no accuracy is stated."
    return (
        "| test images of | right | 95% interval (Wilson) | n |\n| --- | --- | --- | --- |\n"
        f"| {counted.dataset} | {_with_interval(counted.correct, counted.n)} |"
    )


def _describe_calibration(calibration: Calibration | None) -> str:
    if calibration is None:
        return "It is not calibrated: its probabilities are raw, and only a dot is called no digit."
    text = (
        f"Probabilities are softened by a temperature of {calibration.temperature:.3f}, fitted on the training side. "
        f"Of {calibration.digits:,} images there {calibration.false_alarms:.1%} fall below the threshold and would "
        "wrongly be called no digit."
    )
    if calibration.outliers:
        text += (
            f" Of {calibration.outliers:,} synthetic letters, signs and scribbles that it was not fitted on, "
            f"{calibration.misses:.1%} pass for one."
        )
    return text


def _describe_robustness(disturbed: list[Disturbed], title: str) -> str:
    if not disturbed:
        return "Not measured: the test images were not at hand."
    rows = "\n".join(f"| {row.what} | {_with_interval(row.correct, row.n)} |" for row in disturbed)
    return (
        f"The first {disturbed[0].n:,} of the test images ({title}).\n\n"
        f"| images | right | 95% interval (Wilson) | n |\n| --- | --- | --- | --- |\n{rows}"
    )


def _describe_limits(loaded: LoadedModel) -> str:
    limits = [
        "- It knows its classes and nothing else: whatever it is shown, it names one of them. The verdict says when "
        "that should not be believed, and errs at times.",
        "- The intervals tell how exactly the test images measure it, not how it does on other images.",
        "- Do not use it where a wrong answer costs something.",
    ]
    if loaded.spec.digits:
        limits.insert(
            1, "- It reads one digit at a time; of several in one picture it reads all as one, or the largest."
        )
    return "\n".join(limits)
