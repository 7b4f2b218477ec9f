"""The answer: the winner large, the runner-up, how sure, all probabilities as bars; one card for each network."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from cnn_demo.prediction.wording import percent
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer, Unanswered
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.picker import Network

if TYPE_CHECKING:
    from cnn_demo.prediction.calibration import Verdict

_MOST_BARS = 10  # upright ones beside each other on a phone
# Warnings that everybody may want to read; how a picture was inverted or evened out shows in the stages.
_SAID = ("dot", "thin", "edge", "tiny", "several", "speck")


def show_answers(answers: list[Answer | Unanswered], picture: Picture) -> None:
    """All cards in one piece of HTML, so that a stroke costs the browser one element; on a phone a brief answer too."""
    several = len(answers) > 1
    numbered = [(number if several else 0, answer) for number, answer in enumerate(answers, start=1)]
    cards = "".join(_card(answer, picture, number) for number, answer in numbered)
    brief = "".join(_brief(answer, picture, number) for number, answer in numbered if isinstance(answer, Answer))
    st.html(
        f'<div class="draw-brief" aria-hidden="true">{brief}</div>'
        f'<div class="draw-cards" data-n="{len(answers)}">{cards}</div>'
    )


def number_badge(number: int, network: Network) -> str:
    """The number of a network beside what it says, as HTML; "" where there is only one. Its title names it."""
    if not number:
        return ""
    return f'<i class="draw-number" title="{escape(network.title)}">{number}</i>'


def _card(answer: Answer | Unanswered, picture: Picture, number: int) -> str:
    """One card: always a header, the verdict, the bars and the warnings, so that the rows of all cards line up."""
    name = f"<b>{number_badge(number, answer.network)}{escape(answer.network.title)}</b>"
    head = f"<header>{name}<span>{escape(_subtitle(answer))}</span></header>"
    if isinstance(answer, Unanswered):
        return f'<article class="draw-card draw-off">{head}<p role="alert">{escape(answer.problem)}</p></article>'
    kind = answer.prediction.verdict.kind
    title, more = describe_emptiness(picture) if kind == "empty" else (headline(answer), saying(answer))
    from cnn_demo.drawing.stages import WARNINGS  # brings scipy, which has been loaded by now

    found = [_(WARNINGS[warning]) for warning in answer.drawing.warnings if warning in _SAID]
    warnings = "".join(f"<li>{escape(words)}</li>" for words in found)
    big = _big(answer, picture)
    return (
        f'<article class="draw-card draw-{kind}" data-kind="{kind}">{head}'
        f'<div class="draw-top"><div class="draw-big{" draw-long" if len(big) > 1 else ""}" aria-hidden="true">'
        f"{escape(big)}</div>"
        f'<div class="draw-say" role="status"><b>{escape(title)}</b>'
        f"<p>{escape(more)}</p></div></div>"
        f"{_bars(answer)}<ul>{warnings}</ul></article>"
    )


def _brief(answer: Answer, picture: Picture, number: int) -> str:
    """An answer in one line, which stays in sight on a phone: sign, words, probability, and small upright bars."""
    verdict = answer.prediction.verdict
    empty = verdict.kind == "empty"
    words = describe_emptiness(picture)[0] if empty else headline(answer)
    share = "" if empty else percent(verdict.probabilities[verdict.top])
    bars = "".join(
        f"<span{' class=draw-best' if label == verdict.top and not empty else ''}>"
        f'<i style="height:{0 if empty else value * 100:.0f}%"></i>{escape(answer.word(label))}</span>'
        for label, value in enumerate(verdict.probabilities)
    )
    small = f'<span class="draw-small">{bars}</span>' if len(verdict.probabilities) <= _MOST_BARS else ""
    return (
        f'<div class="draw-{verdict.kind}">{number_badge(number, answer.network)}<b>{escape(words)}</b>'
        f"<span>{escape(share)}</span>{small if answer.spec.digits else ''}</div>"
    )


def _subtitle(answer: Answer | Unanswered) -> str:
    """Which weights, and how good they are: accuracy with data set and n."""
    network = answer.network
    parts = []
    if network.checkpoint is not None:
        step, epoch = f"{network.checkpoint.step:,}", f"{network.checkpoint.epoch:.4g}"
        parts.append(_("step {step} · epoch {epoch}").format(step=step, epoch=epoch))
        dataset = network.run.config.dataset if network.run else ""
        accuracy = names.accuracy(network.checkpoint.test_accuracy, network.checkpoint.test_n)
        if accuracy:
            parts.append(f"{dataset}: {accuracy}")
    elif isinstance(answer, Answer):
        test = answer.loaded.meta.get("test") or {}
        accuracy = names.accuracy(test.get("accuracy"), test.get("n"))
        if accuracy:
            parts.append(f"{test.get('dataset', '')}: {accuracy}")
    if network.following:
        parts.append(_("training, followed live"))
    return " · ".join(parts)


def _big(answer: Answer, picture: Picture) -> str:
    verdict = answer.prediction.verdict
    if verdict.kind == "empty":
        return "✎" if picture.source == "draw" else "–"
    return "?" if verdict.kind == "not_a_digit" else answer.word(verdict.top)


def describe_emptiness(picture: Picture) -> tuple[str, str]:
    """A headline and a sentence for a picture without ink: what to do depends on where it comes from."""
    if picture.source == "draw":
        return _("Draw something"), _("Or pick a sample, or upload a photo.")
    if picture.image is None:
        return _("Choose a picture"), _("Its answer appears here.")
    return _("No ink is found in this picture"), _("Cut it to the digit, or take one with more contrast.")


def headline(answer: Answer, verdict: Verdict | None = None) -> str:
    """The verdict in a few words: on the drawing, or another one on a variation of it."""
    verdict = verdict or answer.prediction.verdict
    top, second = answer.word(verdict.top), answer.word(verdict.runner_up)
    if verdict.kind == "not_a_digit":
        if answer.spec.digits:
            return _("This does not look like a digit")
        return _("This looks like nothing in the data set")
    if verdict.kind == "sure":
        return _("Sure: {top}").format(top=top)
    if verdict.kind == "torn":
        return _("Torn between {top} and {second}").format(top=top, second=second)
    return _("Unsure; perhaps {top}").format(top=top)


def saying(answer: Answer) -> str:
    """Probabilities, runner-up and entropy in a sentence."""
    verdict = answer.prediction.verdict
    top, second = answer.word(verdict.top), answer.word(verdict.runner_up)
    share = percent(verdict.probabilities[verdict.top])
    if verdict.kind == "not_a_digit":
        first = _("It would have to be {top} ({share}).").format(top=top, share=share)
    else:
        first = _("{top}: {share}, then {second}: {second_share}.").format(
            top=top, share=share, second=second, second_share=percent(verdict.probabilities[verdict.runner_up])
        )
    bits, most = f"{verdict.entropy_bits:.2f}", f"{math.log2(len(verdict.probabilities)):.2f}"
    return first + sentence_gap() + _("Entropy {bits} of {most} bits.").format(bits=bits, most=most)


def _bars(answer: Answer) -> str:
    verdict = answer.prediction.verdict
    empty = verdict.kind == "empty"
    rows = []
    for label, value in enumerate(verdict.probabilities):
        role = {verdict.top: " draw-first", verdict.runner_up: " draw-second"}.get(label, "") if not empty else ""
        width = 0 if empty else value * 100
        number = "–" if empty else escape(percent(value))
        rows.append(
            f'<tr class="draw-row{role}"><th scope="row">{escape(answer.word(label))}</th>'
            f'<td class="draw-track"><span style="width:{width:.2f}%"></span></td><td>{number}</td></tr>'
        )
    caption = escape(_("Probability of each class"))
    return f'<table class="draw-bars"><caption>{caption}</caption><tbody>{"".join(rows)}</tbody></table>'


def describe_basis(answers: list[Answer]) -> str:
    """What the words rest on, in Markdown: how often they are wrong, or that they are raw."""
    lines = []
    for answer in answers:
        name, known = answer.network.title, answer.predictor.calibration
        if known is None:
            if answer.network.following:
                words = _("raw probabilities while it trains; it cannot say yet whether a drawing is a digit at all.")
            elif answer.calibrating:
                words = _("being calibrated, a few seconds; these are raw probabilities.")
            else:
                words = _("not calibrated; these are raw probabilities.")
        else:
            words = _(
                "temperature {temperature}, fitted on the training side. Of {n} images there, {alarms} fall below the "
                "threshold and would wrongly be called no digit."
            ).format(temperature=f"{known.temperature:.2f}", n=f"{known.digits:,}", alarms=f"{known.false_alarms:.1%}")
            if known.outliers:
                passed = _("Of {n} synthetic letters, signs and scribbles that it was not fitted on, {misses} pass.")
                words += " " + passed.format(n=f"{known.outliers:,}", misses=f"{known.misses:.1%}")
        lines.append(f"**{name.replace('*', '')}**: {words}")
    return "\n\n".join(lines)
