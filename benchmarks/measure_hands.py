"""How the shipped model reads other people's digits: those of handwriting fonts, written with a pad's pen.

    python -m benchmarks.measure_hands FOLDER [--model RUN]

FOLDER holds fonts (.ttf, .otf, .woff); those behind the README's figures are the latin regular weights of the npm
packages @fontsource/NAME for the 131 names below. Each digit is thinned to its middle line and drawn three times on a
pad of 280 pixels with a round pen 10 to 24 wide, filling 30% to 90% of the pad, off center; then it goes the way of
`python -m cnn_demo predict`. Letters of the same fonts that look like no digit tell how often those are taken for one.

Choices (styles of synthetic strokes, training recipe) may be made by the fonts with even places in the alphabet; the
figure to report is that of the odd ones. A font is neater than a person in a hurry: this is no substitute for strokes
of real people.

allura amatic-sc annie-use-your-telescope architects-daughter bad-script bilbo borel calligraffitti caveat
cedarville-cursive coming-soon cookie covered-by-your-grace crafty-girls cute-font dawning-of-a-new-day dekko delius
east-sea-dokdo edu-nsw-act-foundation edu-qld-beginner edu-sa-beginner edu-tas-beginner edu-vic-wa-nt-beginner estonia
explora fuzzy-bubbles gaegu gamja-flower give-you-glory gloria-hallelujah gochi-hand grape-nuts hachi-maru-pop handlee
hi-melody homemade-apple indie-flower inspiration itim julee just-another-hand just-me-again-down-here kalam kavivanar
klee-one kranky kristi la-belle-aurore league-script licorice liu-jian-mao-cao long-cang loved-by-the-king mali mansalva
meddon mr-bedfort mynerve nanum-pen-script neucha nothing-you-could-do oooh-baby over-the-rainbow pangolin patrick-hand
playpen-sans playwrite-ar playwrite-at playwrite-au-vic playwrite-br playwrite-cl playwrite-co playwrite-cu playwrite-cz
playwrite-de-grund playwrite-dk-loopet playwrite-es playwrite-fr-moderne playwrite-hr playwrite-hu playwrite-ie
playwrite-in playwrite-is playwrite-it-moderna playwrite-mx playwrite-nl playwrite-no playwrite-nz playwrite-pe
playwrite-pl playwrite-pt playwrite-ro playwrite-sk playwrite-us-modern playwrite-us-trad playwrite-vn playwrite-za
poor-story puppies-play rancho reenie-beanie rock-salt ruge-boogie ruthie sacramento schoolbell sedgwick-ave
shadows-into-light shadows-into-light-two shantell-sans short-stack single-day square-peg sriracha stalemate
sue-ellen-francisco sunshiney swanky-and-moo-moo the-girl-next-door twinkle-star vujahday-script
waiting-for-the-sunrise walter-turncoat whisper yeon-sung yesteryear yomogi zen-kurenaido zeyada zhi-mang-xing
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.common import machine
from benchmarks.judged import add_model_option, choose_predictor, collect_answers
from cnn_demo.drawing.prepare import Drawing
from cnn_demo.handwriting.redraw import thin_masks
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.strokes import PAD, PenVariation, draw_strokes
from cnn_demo.prediction.predictor import Predictor

LETTERS = "AEFGHKMNRTWXYaefhkmntw?&#PUdr"
TIMES = 3
_HEIGHT = 84  # of a glyph when it is thinned: MNIST's digits are thinned at 60


def middle_line(font: ImageFont.FreeTypeFont, sign: str) -> NDArray[np.float64] | None:
    """Points ``(points, 2)`` on the middle line of a glyph; None where the font does not have it."""
    image = Image.new("L", (700, 600))
    ImageDraw.Draw(image).text((200, 150), sign, font=font, fill=255)
    box = image.getbbox()
    if box is None:
        return None
    glyph = image.crop(box)
    scale = _HEIGHT / max(glyph.size)
    width, height = (max(3, round(side * scale)) for side in glyph.size)
    mask = (np.asarray(glyph.resize((width, height), Image.Resampling.BICUBIC)) > 127).astype(np.uint8)
    line = thin_masks(torch.from_numpy(np.pad(mask, 6))[None])[0].numpy()
    points = np.argwhere(line)[:, ::-1].astype(np.float64)
    return points if len(points) > 1 else None


def written(points: NDArray[np.float64], stream: RandomStream) -> NDArray[np.uint8]:
    """A middle line on a pad, anywhere, with a pen of any usual width."""
    variation = PenVariation()
    pen, side = stream.u(*variation.pen), stream.u(*variation.fill) * PAD
    low, high = points.min(axis=0), points.max(axis=0)
    placed = (points - low) * (side / max(float((high - low).max()), 1e-6))
    room = np.maximum(PAD - pen - placed.max(axis=0), 0)
    placed = placed + pen / 2 + room * np.array([stream.u(0, 1), stream.u(0, 1)])
    return (draw_strokes([placed], pen, (PAD, PAD), dotted=True) * 255).astype(np.uint8)


def drawings(fonts: list[Path], signs: str, predictor: Predictor) -> Iterator[tuple[int, str, Drawing]]:
    """Place of the font, sign and drawing of every glyph."""
    stream = RandomStream(np.random.default_rng(5))
    for place, path in enumerate(fonts):
        font = ImageFont.truetype(str(path), 150)
        for sign in signs:
            points = middle_line(font, sign)
            if points is None:
                continue
            for _ in range(TIMES):
                yield place, sign, predictor.prepare(written(points, stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    add_model_option(parser)
    args = parser.parse_args()
    fonts = sorted(p for p in args.folder.iterdir() if p.suffix in (".ttf", ".otf", ".woff"))
    if not fonts:
        parser.error(f"{args.folder}: no fonts in this folder")
    print(machine())
    predictor = choose_predictor(args)
    for title, signs in (("digits", "0123456789"), ("letters", LETTERS)):
        places, truth, pictures = zip(*drawings(fonts, signs, predictor), strict=True)
        answers = collect_answers(predictor, pictures)
        kinds, right = answers.kinds, answers.tops.astype(str) == np.array(truth)
        for half, name in ((0, "even fonts, for choosing"), (1, "odd fonts, to report")):
            own = np.array(places) % 2 == half
            text = f"{title}, {name}, n = {own.sum():,} of {len({p for p in places if p % 2 == half})} hands:"
            if title == "digits":
                text += f" {right[own].mean():.2%} right"
            if predictor.calibration:
                shares = ", ".join(f"{kind} {np.mean(kinds[own] == kind):.1%}" for kind in sorted(set(kinds)))
                text += f" ({shares}; sure ones right: {right[own & (kinds == 'sure')].mean():.2%})"
            print(text)


if __name__ == "__main__":
    main()
