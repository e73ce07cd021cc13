# Thin: the commands below are what the README shows. PYTHON must be 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: install sweep test test-slurm clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

# For example: make sweep ARGS="--seeds=128:256 --workdir=results/again"
sweep: install
	$(BIN)/python -m gan1d.main --config=configs/sweep.py $(ARGS)

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

# What `make test` leaves out, as it starts a Slurm of its own on this machine: as root, where Slurm
# and munge are installed.
test-slurm: install
	$(BIN)/python -m pytest -rs -m slurm

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
