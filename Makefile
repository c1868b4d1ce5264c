# Everything that is done to this project by hand or by CI. Bare `make` lists it.
# Needs Python 3.11 or later and make; the rest installs itself into .venv from the lock files.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test torture bench lint format check migrations examples screenshots lock migration clean

PY := .venv/bin/python
# Stamps: what .venv was last filled from. Newer lock files fill it again.
RUNTIME := .venv/.filled
DEV := .venv/.filled-dev
# What is measured has what the service needs and nothing else, as in the image.
SHIPPED := .venv/shipped/.filled
PIP_FLAGS := --quiet --no-input --disable-pip-version-check --require-hashes
PIP_INSTALL := $(PY) -m pip install $(PIP_FLAGS)
SOURCES := app config.py config_checks.py config_machine.py manage.py

# CI: no colours, nothing that redraws a line, nothing that asks.
ifeq ($(CI),true)
export NO_COLOR := 1
export TERM := dumb
PYTEST_FLAGS := --color=no
endif

help: ## This list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

run: $(RUNTIME) ## Start the service with a demo and the local Stripe (Ctrl-C ends both)
	@$(PY) -m app.devtools.demo

test: $(DEV) ## Run the tests (ARGS="-k linking" for some of them)
	@sh scripts/install-postgresql.sh
	@$(PY) -m pytest $(PYTEST_FLAGS) --numprocesses 2 --dist worksteal $(ARGS)

torture: $(DEV) ## Run the tests that kill, starve and overload (minutes)
	@sh scripts/install-postgresql.sh
	@$(PY) -m pytest $(PYTEST_FLAGS) -m torture $(ARGS)

bench: $(DEV) $(SHIPPED) ## Measure the service (ARGS="--help" for the choices)
	@sh scripts/install-postgresql.sh
	@command -v wrk >/dev/null || sh scripts/apt-install.sh wrk
	@$(PY) -m benchmarks $(ARGS)

lint: $(DEV) ## Check style, types, security and live keys
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)
	@$(PY) scripts/refuse_live_keys.py

format: $(DEV) ## Format the code and fix what can be fixed
	@$(PY) -m ruff format --quiet .
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

check: lint test migrations ## All of lint and test, then every migration up and down

screenshots: $(DEV) ## Make the pictures of the console in docs/screenshots
	@$(PY) -m tests.web.screenshots

migrations: $(DEV) ## Migrations up, down and up again, on SQLite and PostgreSQL
	@sh scripts/install-postgresql.sh
	@$(PY) -m tests.migration_round_trip

examples: $(DEV) ## Record the examples of the API's description anew
	@$(PY) -m tests.http.recording

lock: $(DEV) ## Write requirements*.txt anew from requirements*.in (ARGS="--upgrade" for newer ones below)
	@sh scripts/lock.sh $(ARGS)

migration: $(DEV) ## Write the next numbered migration from the models: make migration m="add x to y"
	@test -n "$(m)" || { echo 'Say what it does: make migration m="add x to y"' >&2; exit 2; }
	@$(PY) manage.py db migrate -m "$(m)" --rev-id "$$(sh scripts/next-migration.sh "$(m)")"
	@$(PY) -m ruff format --quiet migrations
	@$(PY) -m ruff check --quiet --fix migrations

clean: ## Remove caches and reports (keeps .venv and instance/)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist htmlcov .coverage
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

$(PY):
	@sh scripts/venv.sh

$(RUNTIME): requirements.txt $(PY)
	@sh scripts/venv.sh
	@echo "Installing what the service needs into .venv (once) …"
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

# Holds the runtime's packages too, so the other stamp is true as well.
$(DEV): requirements.txt requirements-dev.txt $(PY)
	@sh scripts/venv.sh
	@echo "Installing what the service and its tests need into .venv (once) …"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $(RUNTIME) $@

$(SHIPPED): requirements.txt $(PY)
	@echo "Installing the service alone into .venv/shipped (once) …"
	@$(PY) -m venv --clear .venv/shipped
	@.venv/shipped/bin/python -m pip install $(PIP_FLAGS) -r requirements.txt
	@touch $@
