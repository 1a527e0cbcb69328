# Each verb stands alone on a machine with git, make and Python 3.10 or newer.
PYTHON ?= python3
# Tests side by side; each takes one core.
WORKERS ?= 2
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint docs benchmarks clean

demo: $(INSTALLED)  ## super-resolve the embedded DICOM series into demo_output/
	$(BIN)/python scripts/demo.py demo_output

test: $(INSTALLED)  ## run every test and doctest
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --durations 30

lint: $(INSTALLED)  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)  ## build the documentation into docs/_build/html/
	$(BIN)/python -m sphinx -W --keep-going -E -a docs docs/_build/html

benchmarks: $(INSTALLED)  ## measure the tables on speed and scaling anew: an hour in which nothing else should run
	for name in speed pipeline training scaling; do $(BIN)/python -m scripts.benchmarks.$$name || exit 1; done

clean:  ## remove everything that the other verbs made
	rm -rf .venv .venv-monailabel demo_output docs/_build docs/generated build dist *.egg-info .mypy_cache .pytest_cache \
	    .ruff_cache .hypothesis

$(INSTALLED): setup.py pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --config-settings editable_mode=compat --editable '.[dev]'
	touch $@
