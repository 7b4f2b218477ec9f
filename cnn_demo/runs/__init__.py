"""Training runs: the store, checkpoints, the worker process and its launcher, collections of drawings.

May import everything below; `serve`, `cli` and `ui` import it. No PyTorch in what a page needs to list runs.
Start reading in `store.py`; its parts are `metrics.py` and `queue.py`, its tables `tables.py`. No other room knows SQL.
"""
