# ChestXpert on a fresh machine: Python 3.11 or newer with pip and venv is all it takes.
# The first target that needs the installation makes .venv; later ones use it until pyproject.toml or
# constraints.txt changes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Carries axe.min.js, which tests hold the report's page to; without what else it would bring, a browser among it.
AXE := axe-playwright-python==0.1.8

DEMO_IMAGES ?= 1200
DEMO_SEEDS ?= 1
STUDY := demo/study

.PHONY: help demo test lint format bench clean

help:  ## list the targets
	@awk -F '## ' '/^[a-z]+:.*##/ {split($$1, name, ":"); printf "make %-8s %s\n", name[1], $$2}' Makefile

demo: $(STUDY)/report.html  ## run the main job on simulated radiographs, under demo/; 'rm -r demo' to run it anew
	@echo "The report is in $(STUDY)/report.html"

test: lint  ## check style and types, run all tests
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadscope

lint: $(STAMP)  ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)  ## put the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## measure what docs/performance.md reports
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

clean:  ## remove what was made, but not .venv, nor your data and studies
	rm -rf demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Every name that pip collects is a sign of life. The rest of what it says is left out, but for errors.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "ChestXpert needs Python 3.11 or newer. Say where it is: make PYTHON=python3.11"; exit 1; }
	@echo "Installing into .venv, once; PyTorch is large, so this takes some minutes"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
		-c constraints.txt -e '.[test]' 2>&1 \
		| sed -un -e 's/^Collecting \([^][ <>=!~(;]*\).*/  \1/p' -e 's/^Installing collected packages.*/  unpacking them all/p' \
			-e '/^ *[Ee][Rr][Rr][Oo][Rr]/,$$p'
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps $(AXE)
	@touch $@

# Order-only: another version of the tools is no reason to throw a finished demo away.
demo/data/dataset.json: | $(STAMP)
	@rm -rf demo
	@$(BIN)/chestxpert data simulate --out demo/simulated --images $(DEMO_IMAGES)
	@$(BIN)/chestxpert data prepare demo/simulated --out demo/data

# --resume: a demo that was interrupted goes on.
$(STUDY)/report.html: demo/data/dataset.json | $(STAMP)
	@$(BIN)/chestxpert compare --data demo/data --out $(STUDY) --seeds $(DEMO_SEEDS) --freeze --resume
