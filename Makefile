# Needs only Python 3.11 with pip and venv; every target sets up what it uses in .venv.
#
#   make setup PYTHON=/path/to/python3.11     another interpreter
#   make setup TORCH_INDEX=https://…          a further index to take torch from (docs/install.md)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
TORCH_INDEX ?=
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
PIP := $(BIN)/python -m pip --no-input --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)
BENCHMARKS := $(wildcard benchmarks/[a-z]*.py)

.PHONY: help setup demo test test-slow test-browser lint bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## put everything, development tools too, into .venv

# torch comes first: a later resolution is then content with the build that is there.
# hatchling is installed under the constraints as well, hence no isolated build.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cohortflow needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say which one by PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) '$(TORCH)' hatchling editables
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[dev,s3,seg,peers]'
	@touch $@

demo: $(STAMP) ## a generated cohort through the whole pipeline, to cohortflow-demo/report.html
	$(BIN)/cohortflow demo

# Two processes, however many cores there are: many tests start workers of their own.
test: $(STAMP) ## the fast tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: $(STAMP) ## tests that need minutes, a server or a browser
	$(BIN)/python -m pytest -q -m slow

test-browser: $(STAMP) ## a run from the form of the pages, in a headless Chromium
	$(BIN)/python -m pytest -q -m slow tests/browser

lint: $(STAMP) ## style, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## the benchmarks, one after the other; results in benchmarks/results/
	@for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

clean: ## remove caches, builds, benchmark results and the demo's folder; .venv stays
	rm -rf build dist cohortflow-demo benchmarks/results
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find flows tasks pipelines src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
