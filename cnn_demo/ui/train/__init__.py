"""The Train page: the form, the list of runs, one run live. Start reading in `form.py` and `run_view.py`."""
