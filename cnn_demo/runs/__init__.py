"""Training runs: the store, the worker process, the launcher, checkpoints."""
