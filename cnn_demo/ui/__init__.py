"""What the pages are made of; the only package here that imports streamlit."""
