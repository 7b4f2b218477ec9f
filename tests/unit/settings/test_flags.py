"""The command line offers every setting; what is wrong with a value is said by the name of the flag."""

from __future__ import annotations

import argparse

import pytest

from cnn_demo.settings.config import ConfigError, TrainConfig, list_every_setting
from cnn_demo.settings.flags import add_flags, read_flags, write_flags
from cnn_demo.settings.presets import PRESETS, Preset


def parse(*argv: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return read_flags(parser.parse_args(argv))


def test_nothing_said_is_the_default() -> None:
    assert parse() == TrainConfig()


def test_flags_become_settings_and_options() -> None:
    config = parse("--batch-size", "64", "--lr", "1e-2", "--optimizer", "sgd", "--momentum", "0.5")
    assert config == TrainConfig(batch_size=64, lr=0.01, optimizer="sgd", options={"momentum": 0.5})
    assert parse("--no-channels-last").channels_last is False


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_written_flags_are_read_back(preset: Preset) -> None:
    config = TrainConfig.from_values(preset.changes)
    assert parse(*write_flags(config)) == config


def test_flags_are_written_without_secrets() -> None:
    more = {"optimizer": "sgd", "nesterov": True, "channels_last": False, "lr": 1e-5, "device": "cuda:1"}
    config = TrainConfig.from_values(more)
    assert parse(*write_flags(config)) == config
    assert write_flags(TrainConfig(collection="abcdefgh12", comment="mine")) == []


def test_flags_change_a_preset() -> None:
    config = parse("--preset", "early", "--epochs", "3")
    assert (config.epochs, config.val_fraction, config.patience) == (3, 0.1, 5)


def test_the_help_names_every_setting_and_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    text = " ".join(parser.format_help().split())
    for setting, _owners in list_every_setting():
        assert "--" + setting.name.replace("_", "-") in text
    assert "(default: 128)" in text
    assert "(default: 0.9 for sgd)" in text
    assert "(default: 32 for cnn, cnn-bn, cnn-strided; 16 for cnn-tiny," in text


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--epochs", "many"], "argument --epochs: 'many' must be a whole number from 1 to 1000"),
        (["--lr", "-1"], "argument --lr: -1.0 must be a number above 0 and at most 10"),
        (["--schedule", "zigzag"], "argument --schedule: 'zigzag' must be one of constant, step, cosine"),
        (["--model", "lenet"], "argument --model: 'lenet' must be one of cnn"),
        (["--preset", "none"], "argument --preset: invalid choice"),
    ],
)
def test_a_wrong_value_is_named_with_its_flag(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_secret_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--collection", "My-Secret")
    assert "My-Secret" not in capsys.readouterr().err


def test_flags_that_do_not_fit_together_are_named() -> None:
    with pytest.raises(ConfigError, match="momentum"):
        parse("--momentum", "0.5")
    with pytest.raises(ConfigError, match="val_fraction"):
        parse("--patience", "5")
