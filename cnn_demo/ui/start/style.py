"""How the three steps of the Start page look. Grays are half transparent, so they fit both themes."""

from __future__ import annotations

import streamlit as st

_STYLE = """
<style>
  .st-key-first-row > div:has(> .st-key-first-draw) { flex: 0 0 auto; }
  .st-key-first-row > div:has(> .st-key-first-read), .st-key-first-read {
    flex: 1 1 12.5rem; min-width: min(12.5rem, 100%); }
  .st-key-first-row > div:has(> .st-key-first-train), .st-key-first-train {
    flex: 1.2 1 15.5rem; min-width: min(15.5rem, 100%); }
  .first-step { display: flex; align-items: center; gap: .6rem; margin: 0; font-size: 1.25rem; font-weight: 600;
    line-height: 1.4; padding: 0; min-height: 2rem; }
  .first-step i { flex: none; display: grid; place-items: center; width: 1.75rem; height: 1.75rem; border-radius: 50%;
    font-style: normal; font-size: .95rem; font-weight: 700; border: 2px solid rgba(128, 136, 150, .55);
    transition: background .3s, border-color .3s, color .3s; }
  .first-step.first-now i { background: #2563eb; border-color: #2563eb; color: #fff; }
  .first-step.first-done i { border-color: #059669; color: #059669; }
  .first-step.first-later { opacity: .6; }
  .first-step span { font-size: .875rem; font-weight: 400; opacity: .7; }
  .st-key-first-read .lab-loading, .st-key-first-draw .lab-loading { border: 0; padding: 0; font-size: .875rem; }
  .st-key-first-progress { flex-wrap: nowrap; }
  .st-key-first-progress > div:first-child { flex: 1 1 0; min-width: 0; }
  .st-key-first-end > div:first-child { flex: 1 1 10rem; }
  .first-curve { display: grid; place-items: center; height: 256px; border: 1px dashed rgba(128, 136, 150, .45);
    border-radius: .75rem; font-size: .875rem; text-align: center; padding: 1rem; }
  .first-curve span { opacity: .7; max-width: 24rem; }
  .first-shown { margin: 0; }
  .first-shown img { width: 280px; height: 280px; max-width: 100%; background: #000; border-radius: .6rem;
    image-rendering: pixelated; }
  .first-said { margin: 0; font-size: 1rem; } .first-said b { font-size: 1.35rem; font-variant-numeric: tabular-nums; }
  .st-key-first-ways { min-height: 2.6rem; }
  .st-key-first-ways a { border: 1px solid rgba(128, 136, 150, .4); border-radius: .5rem; padding: .2rem .8rem; }
  .first-maps { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; align-items: center; }
  .first-maps figure { margin: 0; display: flex; flex-direction: column; gap: .3rem; }
  .first-maps figure > div { display: flex; flex-wrap: wrap; gap: 4px; }
  .first-maps img { width: 56px; height: 56px; border-radius: 5px; image-rendering: pixelated; display: block; }
  .first-maps figcaption { font-size: .8rem; opacity: .7; }
  .first-maps > b { font-size: 1.4rem; font-weight: 400; opacity: .45; }
  .st-key-first-inside { min-height: 6rem; }
  @media (max-width: 640px) {
    .first-maps > b { display: none; } .first-maps img { width: 40px; height: 40px; }
    .st-key-first-draw { width: 100%; }
  }
  @media (prefers-reduced-motion: reduce) { .first-step i { transition: none; } }
</style>
"""


def apply() -> None:
    """Put the rules on the page."""
    st.html(_STYLE)


def show_heading(number: int, title: str, progress: str, note: str = "") -> None:
    """The heading of a step; what is done has a tick.

    Args:
        number: of the step; 0 for none.
        title: plain text, translated.
        progress: ``done``, ``now`` or ``later``.
        note: smaller words behind it.
    """
    from html import escape

    sign = f"<i aria-hidden='true'>{'✓' if progress == 'done' else number}</i>" if number else ""
    small = f"<span>{escape(note)}</span>" if note else ""
    st.html(f'<h2 class="first-step first-{progress}">{sign}{escape(title)}{small}</h2>')
