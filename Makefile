# make help | run | test | check | bench | gpu
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8501
# The packages are installed once for each state of the requirement files.
APP_STAMP := $(VENV)/.app-installed
DEV_STAMP := $(VENV)/.dev-installed

.PHONY: help run test check format bench gpu i18n clean

help: ## this list
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | sort

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found. Install Python 3.10 or newer, or name one: make run PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else echo "make: this Python has no venv module. On Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; fi; }

$(APP_STAMP): requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEV_STAMP): requirements-dev.txt requirements-serve.txt $(APP_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(APP_STAMP) ## install what is missing and serve the app on http://localhost:8501 (PORT=... for another port)
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

test: $(DEV_STAMP) ## install what is missing and run every test
	$(BIN)/python tests/ensure_chromium.py
	$(BIN)/python -m pytest

check: $(DEV_STAMP) ## linter, formatter, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV_STAMP) ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

i18n: $(DEV_STAMP) ## extract the strings, merge them into the catalogs, compile
	@mkdir -p build
	$(BIN)/pybabel extract -F cnn_demo/locales/babel.cfg -k _ -k N_ -k ngettext:1,2 --no-location --sort-output --no-wrap -o build/messages.pot app.py pages cnn_demo
	$(BIN)/pybabel update -i build/messages.pot -d cnn_demo/locales -D messages --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap
	$(BIN)/pybabel compile -d cnn_demo/locales -D messages --statistics

bench: $(DEV_STAMP) ## every benchmark, printed as ratios
	@for script in benchmarks/bench_*.py; do name=$$(basename $$script .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

gpu: ## what only a GPU can show, in at most ten minutes (GPU="--device cpu": a rehearsal; uses the Python at hand without .venv)
	@if [ -x $(BIN)/python ]; then python=$(BIN)/python; else python=$(PYTHON); fi; $$python -m benchmarks.gpu $(GPU)

clean: ## remove the virtual environment and caches (runs and data stay)
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache *.egg-info
