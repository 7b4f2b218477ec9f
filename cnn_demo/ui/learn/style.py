"""Looks of the Learn page that are nobody else's."""

from __future__ import annotations

import streamlit as st

_STYLE = """
<style>
  .stMainBlockContainer { padding-bottom: 1.5rem; }
  .st-key-lesson-idea p { font-size: 1.06rem; line-height: 1.5; }
  .st-key-lesson-formula .katex-display { margin: 0; padding: .2rem 0; overflow-x: auto; overflow-y: hidden; }
  .st-key-lesson-formula .katex { font-size: 1.05em; }
  .st-key-lesson-guess { border-left: 3px solid #f59e0b; padding: .1rem 0 .3rem 1rem; }
  .st-key-lesson-surprise { border-left: 3px solid #059669; padding: .1rem 0 .3rem 1rem; }
  .st-key-lesson-controls [data-testid="stSlider"] { margin-bottom: -.5rem; }
  [class*="st-key-chapter-"] { border-bottom: 1px solid rgba(128, 136, 150, .25); padding: .45rem 0; }
  [class*="st-key-chapter-"] button { padding: 0; min-height: 1.75rem; }
  [class*="st-key-chapter-"] button, [class*="st-key-chapter-"] button * {
    justify-content: flex-start; text-align: left;
  }
  [class*="st-key-chapter-"] button p { font-size: 1.05rem; font-weight: 600; }
  /* On a phone what one moves stands next to what moves; the ways to elsewhere follow the stage. */
  @media (max-width: 640px) {
    .stColumn:has(.st-key-lesson-ways), .stColumn:has(.st-key-lesson-ways) > .stVerticalBlock { display: contents; }
    .stHorizontalBlock:has(.st-key-lesson-ways) > .stColumn:last-child { order: 1; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-lesson-ways) { order: 2; }
  }
  @media print {
    [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stButton"], [data-testid="stExpander"],
    .st-key-lesson-controls, .st-key-lesson-ways { display: none !important; }
    .stMainBlockContainer { max-width: none; padding: 0; }
  }
</style>
"""


def apply_style() -> None:
    """Put the style into the page."""
    st.html(_STYLE)
