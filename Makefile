# Each target sets up .venv first, and again what has changed of it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test check docs bench test-servers clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
define INSTALL
echo "Setting up .venv; the first time that takes a minute or two ..."; \
[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv; \
$(BIN)/python -m pip install --quiet --editable '.[dev]'
endef
COMPILE = $(BIN)/python setup.py --quiet build_ext --inplace > /dev/null
# The directives of setup.py, under which the modules have to compile without a warning.
CYTHON := $(BIN)/cython -3 -Werror -X boundscheck=False,wraparound=False,cdivision=True,initializedcheck=False

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name words; do printf '  make %-14s %s\n' "$$name" "$$words"; done

setup: $(READY) ## create .venv and compile perfcore into it

# A change of what is required or declared installs anew, which compiles everything; any other compiles what it concerns.
$(READY): pyproject.toml setup.py $(wildcard perfcore_ext/*.pyx perfcore_ext/*.pxd)
	@$(if $(filter pyproject.toml setup.py,$?),$(INSTALL),$(COMPILE))
	@touch $@

demo: $(READY) ## load the built-in simulator for 10 seconds and print the report
	@$(BIN)/perfcore stress --duration 10s --concurrency 16

test: $(READY) ## run all tests but those of real servers, in two processes
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(READY) ## ruff, format, mypy strict, cython with warnings as errors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	for module in perfcore_ext/*.pyx; do $(CYTHON) "$$module" -o "$$folder/$$(basename "$$module" .pyx).c"; done
	@echo "all checks passed"

docs: $(READY) ## write the reference pages out of the code, check all links, build the site to site/
	@$(BIN)/perfcore list options > docs/options.md
	@for topic in datasets evaluators presets; do $(BIN)/perfcore list $$topic --markdown > docs/reference-$$topic.md; done
	@$(BIN)/python -c 'import material' 2> /dev/null || $(BIN)/python -m pip install --quiet --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

bench: $(READY) ## measure perfcore against bare libcurl and its peers; write docs/performance.md
	@$(BIN)/python -m benchmarks

.PHONY: peers
peers: $(READY) ## install the load generators that `make bench` compares with, under .cache/peers
	@$(BIN)/python -m benchmarks.peers install

test-servers: $(READY) ## test against real inference servers, each in its own environment
	@echo "Testing against real servers; the first time they are installed under .cache/servers (2.5 GB, some minutes;"
	@echo "PERFCORE_HEAVY_SERVERS=1 adds vLLM and llama.cpp: 3.5 GB more, and up to half an hour) ..."
	@$(BIN)/python -m pytest -q -m servers tests/servers

clean: ## remove .venv and everything built
	@rm -rf .venv build dist site ./*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@rm -f perfcore_ext/*.so perfcore_ext/*.c perfcore_ext/*.html
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
