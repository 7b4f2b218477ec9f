"""CNN Lab: ``streamlit run app.py``. The pages are listed in ``cnn_demo/ui/navigation.py``."""

import streamlit as st

from cnn_demo.ui.shared import layout

# A picture as icon makes Streamlit load two libraries: the layout sets it when the heading is out. Until then an
# emoji, for without any icon the browser would ask the internet for one.
st.set_page_config(page_title="CNN Lab", page_icon="🔢", layout="wide")
layout.show_app()
