"""How the Draw page looks: cards, bars, stages. Grays are half transparent, so they fit both themes."""

from __future__ import annotations

import streamlit as st

_STYLE = """
<style>
  .st-key-draw-row > div:first-child, .st-key-draw-why-row > div:first-child { flex: 0 0 auto; }
  .st-key-draw-answer, .st-key-draw-why-pictures { flex: 1 1 20rem; min-width: min(20rem, 100%); }
  .draw-shown { margin: 0; }
  .draw-shown img { width: 280px; height: 280px; object-fit: contain; background: #000; border-radius: .5rem; }
  .draw-shown figcaption { font-size: .8rem; opacity: .7; max-width: 280px; overflow-wrap: anywhere; }
  .draw-cards { display: grid; gap: 1rem; grid-template-columns: 1fr; grid-template-rows: auto auto auto 1fr; }
  .draw-cards[data-n="2"] { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .draw-cards[data-n="3"] { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .draw-card { border: 1px solid rgba(128, 136, 150, .3); border-radius: .75rem; padding: .8rem 1.1rem .9rem; }
  .draw-card { display: grid; grid-row: span 4; grid-template: subgrid / minmax(0, 1fr); row-gap: 0; }
  .draw-number { display: inline-block; min-width: 1.25em; padding: 0 .2em; margin-right: .35rem; border-radius: .6em;
    background: rgba(128, 136, 150, .28); font-style: normal; font-weight: 600; font-size: .85em; text-align: center; }
  .draw-brief { display: none; }
  .draw-card header { display: flex; flex-wrap: wrap; gap: 0 .6rem; font-size: .85rem; margin-bottom: .2rem; }
  .draw-card header { align-content: start; }
  .draw-card header span { opacity: .65; }
  .draw-top { display: flex; align-items: center; gap: 1.1rem; min-height: 6.4rem; }
  .draw-big { font-size: 5.2rem; line-height: 1.1; font-weight: 700; min-width: 3.4rem; text-align: center;
    font-variant-numeric: tabular-nums; color: #3b82f6; }
  .draw-big.draw-long { flex: none; max-width: 45%; font-size: 1.8rem; word-break: keep-all; overflow-wrap: anywhere; }
  @media (min-width: 641px) { /* In narrow cards the headline says it alone. */
    .draw-cards[data-n="2"] .draw-long { font-size: 1.2rem; }
    .draw-cards[data-n="3"] .draw-long { display: none; }
    .draw-cards[data-n="3"] .draw-card { padding-left: .8rem; padding-right: .8rem; }
    .draw-cards[data-n="3"] .draw-bars td:last-child { width: 3.5rem; }
  }
  .draw-torn .draw-big, .draw-unsure .draw-big { color: #d97706; }
  .draw-not_a_digit .draw-big { color: #8b8f98; }
  .draw-empty .draw-big { color: #8b8f98; opacity: .6; font-size: 3.6rem; }
  .draw-say b { font-size: 1.25rem; }
  .draw-say p { margin: .1rem 0 0; font-size: .875rem; opacity: .75; }
  .draw-card ul:empty { display: none; }
  .draw-card ul { margin: .5rem 0 0; padding-left: 1.1rem; font-size: .875rem; }
  .draw-off { opacity: .85; } .draw-off p { margin: .4rem 0; }
  table.draw-bars { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
  .draw-bars caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .draw-bars tr, .draw-bars th, .draw-bars td { border: 0; padding: 2px 0; background: none; }
  .draw-bars th { width: 1px; white-space: nowrap; text-align: right; padding-right: .6rem; font-weight: 600; }
  .draw-bars td:last-child { width: 4rem; text-align: right; opacity: .75; }
  .draw-track span { display: block; height: .85rem; min-width: 2px; border-radius: 3px;
    background: rgba(128, 136, 150, .55); transition: width .15s ease-out; }
  .draw-first .draw-track span { background: #3b82f6; } .draw-first td:last-child { opacity: 1; font-weight: 600; }
  .draw-torn .draw-second .draw-track span, .draw-torn .draw-first .draw-track span,
  .draw-unsure .draw-first .draw-track span { background: #d97706; }
  .draw-not_a_digit .draw-first .draw-track span { background: rgba(128, 136, 150, .55); }
  .st-key-draw-captions-row > div { flex: 1 1 17.5rem; }
  .st-key-draw-captions-row > div:last-child { flex: 2 1 22rem; min-width: min(20rem, 100%); }
  table.draw-captions { table-layout: fixed; }
  table.draw-captions thead th { width: 4.6rem; padding: 2px 0; font-weight: 400; font-size: .8rem; opacity: .75; }
  table.draw-captions thead th:nth-child(1) { width: 42%; text-align: left; }
  table.draw-captions thead th:nth-child(2) { width: auto; }
  table.draw-captions tbody th { width: auto; white-space: normal; text-align: left; overflow-wrap: anywhere; }
  .draw-captions td:nth-child(3) { text-align: right; }
  .draw-stages { display: grid; grid-template-columns: repeat(6, minmax(0, 9.4rem)); gap: .9rem 1rem; }
  .draw-stages.draw-alone { grid-template-columns: 9.4rem; }
  .draw-stages figure, .draw-pair figure { margin: 0; }
  .draw-stages img, .draw-pair img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #000;
    display: block;
    image-rendering: pixelated; border-radius: .4rem; border: 2px solid rgba(128, 136, 150, .35); }
  .draw-stages figure.draw-key img { border-color: #3b82f6; }
  .draw-stages figcaption, .draw-pair figcaption { font-size: .8rem; line-height: 1.3; padding-top: .3rem; }
  .draw-stages figcaption span { opacity: .7; display: block; }
  .draw-stages figcaption b { font-size: .95rem; }
  .draw-pair { display: flex; flex-wrap: wrap; gap: 1.1rem; }
  .draw-pair figure { width: 17.5rem; max-width: 100%; }
  .draw-pair img.draw-smooth { image-rendering: auto; }
  .draw-scale { width: 17.5rem; max-width: 100%; font-size: .8rem; }
  .draw-scale i { display: block; height: .6rem; border-radius: 3px; border: 1px solid rgba(128, 136, 150, .4); }
  .draw-scale div { display: flex; justify-content: space-between; opacity: .75; }
  .st-key-draw-tools button { padding-left: .6rem; padding-right: .6rem; }
  @media (max-width: 640px) {
    .draw-cards[data-n="2"], .draw-cards[data-n="3"] { grid-template-columns: 1fr; }
    .draw-cards { grid-template-rows: none; }
    .draw-card { grid-row: auto; grid-template-rows: none; padding: .6rem .8rem; }
    .draw-big { font-size: 4.2rem; }
    .draw-stages { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .6rem; }
    .draw-top { min-height: 5rem; }
    /* What the sliders change stays above them. */
    .st-key-draw-change-row [data-testid="stColumn"]:nth-child(2) {
      order: -1; position: sticky; top: 3.75rem; z-index: 4;
      padding: .5rem; border-radius: .75rem; background: rgba(128, 136, 150, .16); backdrop-filter: blur(14px); }
    .st-key-draw-change-row [data-testid="stColumn"]:nth-child(2) > div { flex-flow: row wrap; gap: .3rem .8rem; }
    .st-key-draw-change-row [data-testid="stColumn"]:nth-child(2) > div > div { width: auto; flex: 1 1 100%; }
    .st-key-draw-change-row [data-testid="stColumn"]:nth-child(2) > div > div:nth-child(1) { flex: 0 0 5.5rem; }
    .st-key-draw-change-row [data-testid="stColumn"]:nth-child(2) > div > div:nth-child(2) { flex: 1 1 9rem; }
    .st-key-draw-change-row .draw-alone { grid-template-columns: 5.5rem; }
    .st-key-draw-change-row .draw-alone figcaption { display: none; }
    /* The brief answer sticks to the lower edge until its place, between the pad and the cards, comes into sight. */
    .st-key-draw-answer, .st-key-draw-row :has(> .st-key-draw-answer),
    .st-key-draw-answer :has(> .draw-brief), .st-key-draw-answer :has(> * > .draw-brief) { display: contents; }
    .draw-brief { display: grid; gap: .3rem; position: sticky; bottom: .4rem; z-index: 5; width: 100%;
      margin-bottom: -1.4rem;
      box-sizing: border-box; padding: .45rem .7rem; border-radius: .75rem; border: 1px solid rgba(128, 136, 150, .35);
      background: rgba(128, 136, 150, .16); backdrop-filter: blur(14px); }
    .draw-brief > div { display: flex; align-items: center; gap: .5rem; font-variant-numeric: tabular-nums; }
    .draw-brief b { font-size: 1.02rem; line-height: 1.2; }
    .draw-small { display: flex; gap: 3px; margin-left: auto; }
    .draw-small span { display: flex; flex-direction: column; justify-content: flex-end; width: .72rem; height: 2.5rem;
      font-size: .68rem; line-height: 1.1; text-align: center; opacity: .7; }
    .draw-small i { display: block; min-height: 1px; max-height: 1.7rem; background: currentColor; border-radius: 2px; }
    .draw-small .draw-best { opacity: 1; font-weight: 700; color: #3b82f6; }
    .draw-torn .draw-best, .draw-unsure .draw-best { color: #d97706; }
    .draw-not_a_digit .draw-best { color: inherit; }
  }
</style>
"""


def apply() -> None:
    """Put the rules on the page."""
    st.html(_STYLE)
