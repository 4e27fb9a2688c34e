# `make help` lists the targets. Needs make and a Python from 3.11 on; everything else goes into .venv.

VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# One worker a core, but four at most: each starts servers of its own.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 4 ] && echo $$n || echo 4)

# The newest Python that really runs: a version manager may leave names on the PATH that only print an error.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$name && break; done)

.PHONY: help demo test fuzz torture lint bench docs screenshots writers clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.installed  ## import sample tables into SQLite and look at them
	$(BIN)/deltalakedb demo $(ARGS)

test: $(VENV)/.installed-dev $(VENV)/duckdb-delta/.installed  ## run the tests; ARGS="-k name" for some of them
	@tests/install-azurite.sh
	@tests/install-services.sh
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

torture: $(VENV)/.installed-dev  ## kill, cut off and fill up for long; ARGS="--rounds 20 --seed 1"
	$(BIN)/python -m tests.robustness.torture $(ARGS)
	$(MAKE) --no-print-directory fuzz ARGS=

fuzz: $(VENV)/.installed-fuzz  ## try bad input and compare ways to read for long; ARGS="--seconds 600 --only logs"
	DELTALAKEDB_TEST_ENTRIES=1000000 $(BIN)/python -m pytest tests/fuzz/test_bombs.py
	DELTALAKEDB_TEST_ALL_WRITERS=1 $(BIN)/python -m pytest -n $(WORKERS) tests/writers
	$(BIN)/python -m tests.fuzz $(ARGS)

lint: $(VENV)/.installed-dev  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev  ## measure; ARGS go to the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.installed-dev  ## build the documentation
	$(BIN)/python docs/build.py $(ARGS)

screenshots: $(VENV)/.installed-dev  ## take the pictures of the status page for the documentation
	@tests/install-services.sh
	$(BIN)/python -m tests.web.screenshots

writers: $(VENV)/.installed-dev  ## make the tests' tables anew, by real writers; ARGS="deltalake-1.6.6" for one
	$(BIN)/python -m tests.writers.make_tables $(ARGS)

clean:  ## remove the environment and what the tools left
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz .node
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than pyproject.toml as long as nothing needs to be installed again.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[all]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[all,dev]'
	touch $@ $(VENV)/.installed

# Not in the environment itself, which has the newest DuckDB.
$(VENV)/duckdb-delta/.installed: tests/support/duckdb-delta.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade --target $(@D) -r $<
	touch $@

$(VENV)/.installed-fuzz: pyproject.toml | $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -e '.[all,dev,fuzz]'
	touch $@ $(VENV)/.installed-dev $(VENV)/.installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "deltalakedb needs Python 3.11 or newer: none was found on the PATH" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) could not make a virtual environment: install its venv module (Debian: python3-venv)" >&2; exit 1; }
