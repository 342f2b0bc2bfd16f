# `make` prints what there is. Every target makes or refreshes .venv by itself first.

PYTHON := $(or $(PYTHON),$(shell for name in python3.13 python3.12 python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v "$$name" && break; done))
BIN := .venv/bin
STACK := $(BIN)/python -m devstack
TESTED := $(STACK) exec --
# Commands that only read the code and the models ask nothing of these.
NOBODY := DJANGO_SETTINGS_MODULE=config.settings.test \
	REDIS_URL=redis://127.0.0.1:1/0 KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1
DATABASE_ONLY := $(STACK) exec --only DATABASE_URL -- env $(NOBODY)
RUNNING := $(STACK) attach --
ARGS ?=
# Of the order of the tests and of generated cases, so that a failure comes again where it is looked
# for. `make test-long` draws its own.
SEED ?= 1
SEEDED = --randomly-seed=$(SEED) --hypothesis-seed=$(SEED)
# What the API and the events must stay compatible with: where this branch left origin/main, or the
# commit before. Empty where there is neither, as in a shallow clone. BASE=HEAD allows a break that
# is meant.
BASE ?= $(shell base=$$(git merge-base HEAD origin/main 2>/dev/null); \
	test -n "$$base" && test "$$base" != "$$(git rev-parse HEAD)" && echo "$$base" \
	|| git rev-parse --verify --quiet HEAD^ 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help venv run reset replay audit shell db-shell test test-split test-long check static-check \
	django-check in-database-check compatibility-check format openapi events problems bench \
	bench-catalogue bench-orders lock clean

help: ## Print the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or later was found. Install one (Debian, Ubuntu: apt install python3 python3-venv)"; \
		echo "or name it, as in: make run PYTHON=/opt/python3.13/bin/python3"; exit 1; fi
	@$(PYTHON) -m devstack.bootstrap

run: venv ## Start the whole shop in the foreground; Ctrl-C stops it. PORT, HOST, WEB_WORKERS, WEB_THREADS, WITHOUT (a role), DATABASE_URL, REDIS_URL, KAFKA_BOOTSTRAP_SERVERS.
	@$(STACK) run

reset: venv ## Throw the local shop's data away.
	@$(STACK) reset

replay: venv ## Place real orders against the running shop. ORDERS, CONCURRENCY, FILE.
	@$(RUNNING) $(BIN)/python -m demo.replay \
		$(if $(ORDERS),--orders $(ORDERS)) $(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) \
		$(if $(FILE),--file $(FILE)) $(ARGS)

audit: venv ## Compare the running shop's books: orders, stock, money, events.
	@$(RUNNING) $(BIN)/python manage.py audit_books $(ARGS)

shell: venv ## Open a Django shell in the running shop.
	@$(RUNNING) $(BIN)/python manage.py shell

db-shell: venv ## Open psql on the running shop's database.
	@$(RUNNING) $(BIN)/python manage.py dbshell

test: venv ## Run the tests on servers of their own, in about ten minutes. ARGS goes to pytest; another SEED is another order.
	@$(TESTED) $(BIN)/python -m pytest -n 3 $(SEEDED) -m "not long" $(ARGS)

test-split: venv ## The same with one database per context.
	@$(STACK) exec --split -- $(BIN)/python -m pytest -n 3 $(SEEDED) -m "not long" $(ARGS)

test-long: venv ## Run the tests that take minutes each, and the rules on thousands of examples.
	@$(TESTED) $(BIN)/python -m pytest -n 2 tests/unit --hypothesis-profile=thorough --timeout 1800
	@$(TESTED) $(BIN)/python -m pytest -m long --timeout 1800 $(ARGS)

check: static-check django-check ## Check everything that needs no test: style, types, imports, migrations, documents.

static-check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(NOBODY) DATABASE_URL=postgresql://127.0.0.1:1/none $(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

django-check: venv
	@$(DATABASE_ONLY) $(MAKE) --no-print-directory --silent in-database-check

in-database-check: compatibility-check
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python -m devstack.production_check
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m devstack.migration_lint
	$(BIN)/python manage.py export_openapi --check
	$(BIN)/python manage.py show_events --check --against "$(BASE)"
	$(BIN)/python manage.py show_problems --check

compatibility-check:
	@base="$(BASE)"; old=$$(mktemp); trap 'rm -f "$$old"' EXIT; \
	if [ -z "$$base" ]; then \
		echo "Compatibility of the API was not compared: there is no earlier revision here."; \
	elif ! git rev-parse --verify --quiet "$$base^{commit}" >/dev/null; then \
		echo "BASE=$$base is no revision."; exit 1; \
	elif ! git show "$$base:./tests/contracts/openapi.json" >"$$old" 2>/dev/null; then \
		echo "Compatibility of the API was not compared: $$base has no description of it."; \
	else \
		$(BIN)/python manage.py export_openapi --check --against "$$old"; \
	fi

format: venv ## Format the code and sort its imports.
	@$(BIN)/ruff check --select I --fix --quiet .
	@$(BIN)/ruff format .

openapi: venv ## Write the OpenAPI document anew.
	@$(DATABASE_ONLY) $(BIN)/python manage.py export_openapi

events: venv ## Write docs/events.md and the event schemas anew.
	@$(DATABASE_ONLY) $(BIN)/python manage.py show_events

problems: venv ## Write docs/problems.md anew.
	@$(DATABASE_ONLY) $(BIN)/python manage.py show_problems

bench: venv ## Measure placement, relay and consumers; results go to benchmarks/RESULTS.md.
	@$(TESTED) $(BIN)/python -m benchmarks $(ARGS)

bench-catalogue: venv ## Measure reads and imports of a catalogue of 100,000 products; needs wrk. ARGS=--quick only shows that it works.
	@$(TESTED) $(BIN)/python -m benchmarks.catalogue $(ARGS)

bench-orders: venv ## Measure placing orders in both modes, what lines cost, and carts. ARGS=--quick only shows that it works.
	@$(TESTED) $(BIN)/python -m benchmarks.orders $(ARGS)

lock: venv ## Pin the requirements anew from requirements*.in, with hashes. ARGS=--upgrade takes newer ones.
	@for name in requirements requirements-dev; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
		--python-version 3.11 --generate-hashes $(ARGS) $$name.in -o $$name.txt || exit 1; done

clean: ## Remove .venv, .local with all its data, and caches.
	rm -rf .venv .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
