# `make` or `make help` lists the targets. PYTHON, SUITE, CORES, SEEDS and PIP_FLAGS can be set: make reproduce SUITE=smoke CORES=4
PYTHON ?= python3
SUITE ?= article
CORES ?= all
PIP_FLAGS ?=
SEEDS ?= 20
BIN = .venv/bin
SUITE_FILE = workflows/suites/$(SUITE).yaml

.DEFAULT_GOAL := help
.PHONY: help reproduce verify claims test faults bench lint format reference lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: $(SUITE_FILE) .venv/installed ## run the article suite (or SUITE=smoke, SUITE=paper), say where the page is, verify it
	@grep -Eq "^name: *[\"']?$(SUITE)[\"']? *(#.*)?$$" $(SUITE_FILE) || { echo "scorebench: $(SUITE_FILE) must say 'name: $(SUITE)', as its results are called" >&2; exit 2; }
	@$(BIN)/snakemake --cores $(CORES) --configfile $(SUITE_FILE)
	@$(BIN)/scorebench verify results/$(SUITE)
	@echo "page: results/$(SUITE)/index.html"

verify: .venv/installed ## compare a run with the committed reference, cell by cell
	@$(BIN)/scorebench verify results/$(SUITE)

claims: .venv/installed ## test every claim on SEEDS=20 fresh master seeds: does a verdict change? (long)
	@$(BIN)/scorebench claims --seeds $(SEEDS) --workers $$(nproc)

test: .venv/installed-dev ## set up and run the tests
	@$(BIN)/pytest --junit-xml=results/tests.xml

faults: .venv/installed-dev ## kills, damage, full disks, hostile input, a month of use, limits, a cluster: every one, with its counts (long)
	@$(BIN)/python tests/faults

bench: .venv/installed-peers ## how fast it is, beside other libraries and against size (ARGS="--work ula_ring --only speed" for a part)
	@$(BIN)/python -m benchmarks $(ARGS)

lint: .venv/installed-dev ## every linter that CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflows
	$(BIN)/snakemake --lint --configfile workflows/suites/smoke.yaml

format: .venv/installed-dev ## format Python and Snakemake files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflows

reference: .venv/installed ## make a run the reference, and write its figures and tables into the README
	$(BIN)/scorebench verify --write results/$(SUITE)
	$(BIN)/scorebench readme results/$(SUITE)

lock: ## pin what is installed now
	$(BIN)/pip freeze --exclude-editable --exclude pip --exclude setuptools | sed 's/+cpu$$//' | grep -v ' @ ' > requirements.lock

clean: ## remove the environment and every run, but for the committed reference
	rm -rf .venv .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +

workflows/suites/%.yaml:
	@echo "scorebench: suite '$*' is unknown (known: $(notdir $(basename $(wildcard workflows/suites/*.yaml))))" >&2; exit 2

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "scorebench needs Python 3.11, 3.12 or 3.13; %s is %d.%d (set PYTHON=python3.12)" % (sys.executable, *v))'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python requirements.lock pyproject.toml
	@echo "installing the pinned packages (a minute or two)"
	@$(BIN)/pip install -qq --disable-pip-version-check $(PIP_FLAGS) -c requirements.lock -e .
	@touch $@

.venv/installed-dev: .venv/bin/python requirements.lock pyproject.toml
	@echo "installing the pinned packages and the tools for tests (a minute or two)"
	@$(BIN)/pip install -qq --disable-pip-version-check $(PIP_FLAGS) -c requirements.lock -e '.[dev]'
	@touch $@ .venv/installed

.venv/installed-peers: .venv/bin/python requirements.lock pyproject.toml
	@echo "installing the pinned packages and the libraries that scorebench is measured beside (a minute or two)"
	@$(BIN)/pip install -qq --disable-pip-version-check $(PIP_FLAGS) -c requirements.lock -e '.[peers]'
	@touch $@ .venv/installed
