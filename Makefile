# Saldo. Needs Python 3.11 or newer and make; everything else is installed into .venv.
# `make` alone lists what there is.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV := $(BIN)/uv
UV_VERSION := 0.13.9
# The first Python that is new enough; name another with `make setup PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
export UV_LINK_MODE ?= copy
# Believe the certificates that this machine believes, a company's own included.
export UV_SYSTEM_CERTS ?= true
# A mirror configured for pip is used by uv as well.
USE_PIP_INDEX = index=$$($(PY) -m pip config get global.index-url 2>/dev/null); \
	[ -z "$$index" ] || [ -n "$$UV_DEFAULT_INDEX" ] || export UV_DEFAULT_INDEX="$$index"

# Images of containers often forbid it, and then each process compiles every module again when it
# starts: five seconds instead of one.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List these targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- installation

.PHONY: setup
setup: $(VENV)/.setup ## Install Saldo into .venv, with the command .venv/bin/saldo

.PHONY: setup-dev
setup-dev: $(VENV)/.setup-dev ## The same, with the tools for tests and checks

# A virtual environment with uv in it. Removed again when it cannot be completed.
$(UV):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Saldo needs Python 3.11 or newer, and none was found on the PATH."; \
		echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or name one:"; \
		echo "    make setup PYTHON=/path/to/python3"; exit 1; fi
	@$(PYTHON) -m venv $(VENV) >$(VENV).log 2>&1 || { cat $(VENV).log; rm -rf $(VENV) $(VENV).log; \
		echo; echo "$(PYTHON) could not make a virtual environment (see above)."; \
		echo "On Debian and Ubuntu a package is missing: apt install python3-venv"; exit 1; }
	@rm -f $(VENV).log
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" || { \
		rm -rf $(VENV); echo "The Python package index could not be reached (see above)."; exit 1; }

# What is installed for development also serves for running: setup then has nothing to do.
$(VENV)/.setup: requirements.lock pyproject.toml | $(UV)
	@if [ -f $(VENV)/.setup-dev ] && [ $(VENV)/.setup-dev -nt requirements-dev.lock ] \
		&& [ $(VENV)/.setup-dev -nt pyproject.toml ]; then :; else \
		$(call install,requirements.lock); rm -f $(VENV)/.setup-dev; fi
	@touch $@

$(VENV)/.setup-dev: requirements-dev.lock pyproject.toml | $(UV)
	@$(call install,requirements-dev.lock)
	@touch $(VENV)/.setup $@

# uv installs exactly what the lock names, checked by hash; pip is the way out where uv cannot
# reach the index (its own certificates, for one).
define install
echo "Installing into $(VENV) ..." && $(USE_PIP_INDEX) && \
{ $(UV) pip sync --quiet --compile-bytecode --python $(PY) --require-hashes $(1) \
  || $(PY) -m pip install --quiet --no-deps --require-hashes -r $(1); } && \
{ $(UV) pip install --quiet --python $(PY) --no-deps --editable . \
  || $(PY) -m pip install --quiet --no-deps --editable .; } && \
$(PY) -m compileall -q alembic app connectors sandbox scheduler && \
echo "Installed: $(BIN)/saldo"
endef

# ---------------------------------------------------------------- running

.PHONY: demo
demo: setup ## Run the demo until Ctrl-C (FRESH=1 starts it anew, PROVIDER=gocardless)
	@exec $(BIN)/saldo demo $(if $(filter 1 yes true,$(FRESH)),--fresh) \
		$(foreach name,$(PROVIDER),--provider $(name))

# ---------------------------------------------------------------- checking

PYTEST = $(BIN)/pytest -q -n 3 --dist worksteal

.PHONY: test
test: setup-dev ## Run the tests, in three processes
	@$(PYTEST) -m "not long"

.PHONY: test-long
test-long: setup-dev ## Run the rest: where a shorter test ends, and more examples of each property
	@$(PYTEST) -m "long or hypothesis" --hypothesis-profile=long

.PHONY: storm
storm: setup-dev ## Kill processes of a demo at random moments (KILLS=50 SEED=n)
	@$(PY) -m tests.scenarios.storm --kills $(or $(KILLS),50) $(if $(SEED),--seed $(SEED))

.PHONY: histories
histories: setup-dev ## Live random case histories and judge them (COUNT=1000 SEED=n MINUTES=60)
	@$(PY) -m tests.scenarios.histories --count $(or $(COUNT),1000) --minutes $(or $(MINUTES),60) \
		$(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: setup-dev ## Measure; figures go to benchmarks/results/latest.json
	@$(PY) -m benchmarks.read_cycle
	@$(PY) -m benchmarks.tick_cost
	@$(PY) -m benchmarks.gate
	@$(PY) -m benchmarks.lateness
	@$(PY) -m benchmarks.stamps
	@$(PY) -m benchmarks.reports
	@$(PY) -m benchmarks.read_plan
	@$(PY) -m benchmarks.paydays

.PHONY: check
check: lint types layers rules ## Style, types, the layers and the rules of the house

.PHONY: lint
lint: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: setup-dev
	@$(BIN)/mypy

.PHONY: layers
layers: setup-dev
	@$(BIN)/lint-imports

.PHONY: rules
rules: setup-dev
	@$(PY) -m pytest -q -n0 tests/house/test_style.py

# ---------------------------------------------------------------- generated files

.PHONY: env
env: setup ## Write .env.example anew from the settings
	@$(PY) -m app.env_example > .env.example.new && mv .env.example.new .env.example

.PHONY: lock
lock: $(UV) ## Renew the locked dependencies from pyproject.toml
	@$(USE_PIP_INDEX); $(COMPILE) pyproject.toml -o requirements.lock
	@$(USE_PIP_INDEX); $(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
