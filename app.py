"""CNN Lab: ``streamlit run app.py``. The pages are listed in ``cnn_demo/ui/navigation.py``."""

import streamlit as st

from cnn_demo.ui import layout

st.set_page_config(page_title="CNN Lab", page_icon=layout.ICON, layout="wide")
layout.show()
