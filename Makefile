# Each command sets up what it needs in .venv first, and does so again only when pyproject.toml has changed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench

demo: .venv/.plot
	$(BIN)/python examples/logistic_sgd.py --data digits --out demo --plot demo/logistic_sgd.png

test: .venv/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/.plot
	$(BIN)/python -m benchmarks

# A venv without pip of its own serves where Python came without ensurepip: the pip outside installs into it.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "croton needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --without-pip .venv

.venv/.%: pyproject.toml | .venv/bin/python
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --editable '.[$*]'
	@touch $@
