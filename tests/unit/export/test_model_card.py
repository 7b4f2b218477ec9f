"""The model card tells what is known, with n and intervals, and says what is not."""

from __future__ import annotations

from dataclasses import replace

from cnn_demo.export.model_card import Counted, write_model_card
from cnn_demo.export.robustness import Disturbed
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import read_shipped


def test_the_card_of_the_model_that_ships(store: Store) -> None:
    shipped = load_model(ModelRef.parse("shipped"), store)
    disturbed = [Disturbed("as they are", 1987, 2000), Disturbed("turned", 1500, 2000)]
    calibration = load_calibration(shipped)
    assert calibration is not None
    card = write_model_card(shipped, calibration, Counted("mnist", 9951, 10_000), disturbed)
    stated = read_shipped()
    assert f"1,630,090 parameters. Trained for {stated['step']:,} steps ({stated['epoch']:g} epochs)." in card
    assert "| mnist | 99.51% | 99.35% to 99.63% | 10,000 |" in card
    assert "| turned | 75.00% | 73.06% to 76.85% | 2,000 |" in card
    assert "| Weight decay | 0.03 |" in card
    assert f"temperature of {calibration.temperature:.3f}" in card
    assert "CC BY-SA 3.0" in card


def test_what_is_not_known_is_said(store: Store) -> None:
    untrained = load_model(ModelRef.parse("untrained:cnn-tiny"), store)
    card = write_model_card(untrained, None, None, [])
    assert "never trained" in card
    assert "no accuracy is stated" in card
    assert "not calibrated" in card
    assert "Not measured" in card


def test_the_comment_of_a_run_stands_below_its_recipe(store: Store) -> None:
    plain = load_model(ModelRef.parse("untrained:cnn-tiny"), store)
    told = replace(plain, trained_as=replace(plain.config, comment="Taught by another network."))
    before, after = (write_model_card(loaded, None, None, []) for loaded in (plain, told))
    assert "Taught by another network." not in before
    assert after.replace("\n\nTaught by another network.", "") == before
    assert after.index("## Recipe") < after.index("Taught by another network.") < after.index("## How good it is")
