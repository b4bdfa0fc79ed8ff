# Needs Python 3.11 or newer, make and pip, nothing else. Everything installs into .venv.

PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/restless
PIP_OPTIONS ?=
OMP_NUM_THREADS := 1
export OMP_NUM_THREADS

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt

.DELETE_ON_ERROR:
.PHONY: help install quickstart test test-all coverage mutants lint docs bench wheel clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Another Python: make test PYTHON=python3.12. PyTorch without CUDA, where pip would fetch it:"
	@echo "make quickstart PIP_OPTIONS='--extra-index-url https://download.pytorch.org/whl/cpu'"

install: $(VENV)/installed  ## neurometa and what it needs, into .venv (a minute or two)
	@echo "Now: . $(BIN)/activate, then: neurometa list"

quickstart: $(VENV)/installed  ## train an agent on the restless bandit, fit it, draw it (minutes)
	$(BIN)/neurometa train restless --out $(RUN) --resume
	$(BIN)/neurometa rollout $(RUN)
	$(BIN)/neurometa fit-rw $(RUN)
	$(BIN)/neurometa regret $(RUN)
	$(BIN)/neurometa figure w16-fig4 --run $(RUN)
	$(BIN)/neurometa show $(RUN)
	@echo "Your own trials: $(BIN)/neurometa import trials.csv --out runs/mine, then $(BIN)/neurometa fit-rw runs/mine"

test: $(VENV)/installed-test  ## the fast tests, and the examples in the docstrings
	$(BIN)/python -m pytest -n logical --dist loadfile -m "not slow" --doctest-modules neurometa tests

test-all: $(VENV)/installed-test  ## all tests, also those that train networks (minutes)
	$(BIN)/python -m pytest -n logical --dist loadfile --doctest-modules neurometa tests

coverage: $(VENV)/installed-test  ## how much of what reads trials the fast tests run; below 95 % is an error
	$(BIN)/python -m pytest -n logical --dist loadfile -m "not slow" --doctest-modules neurometa tests --cov

mutants: $(VENV)/installed-test  ## does a wrong sign, lag or fold fail a test? see benchmarks/mutants.toml
	$(BIN)/python benchmarks/mutants.py

lint: $(VENV)/installed-lint  ## ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: $(VENV)/installed-docs  ## the documentation, into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/installed-bench  ## speed against the peers; see benchmarks/README.md
	$(BIN)/python -m pytest -o python_files='bench_*.py' benchmarks

wheel: $(VENV)/installed-release  ## a wheel and a source distribution to give away, into dist
	$(BIN)/python -m build --outdir dist .

clean:  ## remove all that make has made, except runs/ and results/
	rm -rf $(VENV) .coverage dist docs/_build docs/reference/api .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(VENV)/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { \
	  echo "neurometa needs Python 3.11 or newer, and there is no '$(PYTHON)'. Install one, or name it:" \
	       "make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "neurometa needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name a newer one:" \
	       "make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(INSTALL) -e '.[$*]'
	@touch $@
