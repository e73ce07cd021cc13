# Thin: the commands below are what the README shows. PYTHON must be 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: install sweep test test-slurm test-lowest docs clean

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

# A few quick files under the lowest versions that pyproject.toml allows, in an environment of its
# own. What those versions deprecate of each other is not ours.
LOWEST = $(VENV)-lowest/bin
test-lowest:
	$(PYTHON) -m venv $(VENV)-lowest
	$(LOWEST)/python -m pip install --quiet uv
	$(LOWEST)/uv pip install --quiet --python $(LOWEST)/python --resolution=lowest-direct \
		--editable ".[test]"
	$(LOWEST)/python -m pytest -W default::DeprecationWarning tests/test_fields_command.py \
		tests/test_tables.py tests/test_results.py tests/test_figures.py tests/test_main.py

# The site of docs/, without a network to be read: build/docs/index.html. No broken links.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lowest build *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
