# CrowdVote from a fresh clone: `make run` serves a demo community, `make test` tests. docs/operations.md says how to run without make.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# More processes than a small machine has cores: tests wait for decisions to close, servers to start, and browsers. Those
# of a file begin together and share what it sets up, but none waits while another process is idle.
PYTEST_ARGS ?= --numprocesses 4 --dist worksteal
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

# Addresses of the services that `make test-services` uses, where the environment names none.
SERVICES_DATABASE_URL := $(or $(DATABASE_URL),postgres://postgres@127.0.0.1:5432/crowdvote)
SERVICES_REDIS_URL := $(or $(REDIS_URL),redis://127.0.0.1:6379/15)
SERVICES_BROKER_URL := $(or $(BROKER_URL),amqp://guest:guest@127.0.0.1:5672//)

# Where a shell forbids it, Python would compile every module anew in each of the processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run dev docs quick test walks lengths privacy test-services faults faults-of-notices check format schema bench lock clients

help: ## list what can be done
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

setup: .venv/base ## create .venv with what CrowdVote needs to run

.venv/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || { echo "CrowdVote needs Python 3.11 or newer; there is no $(PYTHON). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "CrowdVote needs Python 3.11 or newer, $(PYTHON) is %s. Try: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	$(PYTHON) -m venv .venv

# One file per set of requirements, as old as its last installation: a changed lock file is installed again, and only then.
.venv/%: requirements/%.txt | .venv/pyvenv.cfg
	$(PIP) -r $<
	@touch $@

# What makes the client in Python asks for an older graphql-core than the site: it has an environment of its own.
client/python/.venv/made: client/python/requirements.txt | .venv/pyvenv.cfg
	$(BIN)/python -m venv client/python/.venv
	client/python/.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

# Serves the demo. Its start page shows the community that load_demo names, unless the environment names another.
define serve_demo
@example=$$($(BIN)/python manage.py load_demo | tee /dev/stderr | sed -n 's/^CROWDVOTE_EXAMPLE_COMMUNITY=//p') && \
	export CROWDVOTE_EXAMPLE_COMMUNITY="$${CROWDVOTE_EXAMPLE_COMMUNITY:-$$example}" && \
	exec $(BIN)/python manage.py serve --host $(HOST)
endef

run dev: export PORT := $(PORT)
run dev: export CROWDVOTE_DEMO_SIGN_IN ?= 1
run: setup ## serve a demo community on http://localhost:PORT (8000), on the embedded default
	$(BIN)/python manage.py migrate --no-input --verbosity 0
	$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	$(serve_demo)

dev: export CROWDVOTE_DEBUG ?= 1
dev: .venv/dev ## serve it for work on the code: starts again after each change, shows errors and the debug toolbar
	$(BIN)/python manage.py migrate --no-input --verbosity 0
	$(serve_demo) --reload

quick: .venv/dev ## check what a change against BASE (main) touches, in half a minute: unit tests, lint, types
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL $(BIN)/python -m tests.quick $(if $(BASE),--base $(BASE))

test: .venv/dev client/python/.venv/made ## run the tests on the embedded default; what is skipped is listed with the reason
	@$(CLIENTS_IN_JAVASCRIPT)
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL $(BIN)/python -m pytest $(PYTEST_ARGS)

walks: .venv/dev ## drive the site in the browser in every look: light and dark, phone and desk
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL EVERY_LOOK=1 $(BIN)/python -m pytest $(PYTEST_ARGS) tests/test_browser

lengths: .venv/dev ## calculate communities of every shape at every length up to 400, and more of what tests draw by chance
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL EVERY_LENGTH=1 $(BIN)/python -m pytest $(PYTEST_ARGS) --timeout 0 tests/test_graph tests/test_ledger tests/test_recalculation tests/test_verify

privacy: .venv/dev ## try to tell WORLDS (3) pairs of worlds apart that differ in what is nobody's business, as everybody else
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL EVERY_WORLD=$(or $(WORLDS),3) $(BIN)/python -m pytest $(PYTEST_ARGS) --timeout 0 tests/test_privacy

test-services: export DATABASE_URL := $(SERVICES_DATABASE_URL)
test-services: export REDIS_URL := $(SERVICES_REDIS_URL)
test-services: export BROKER_URL := $(SERVICES_BROKER_URL)
test-services: .venv/all ## run the tests on PostgreSQL, Redis and RabbitMQ (DATABASE_URL, REDIS_URL, BROKER_URL)
	$(BIN)/python -m tests.services
	@# The browser's server brings its own embedded default: `make test` has driven it.
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not browser"

faults: .venv/all ## vote while everything is killed, for MINUTES (10) with KILLS (50), by SEED (1); starts its own services
	$(BIN)/python -m tests.faults --minutes $(or $(MINUTES),10) --kills $(or $(KILLS),50) --seed $(or $(SEED),1) \
		$(if $(REPORT),--report $(REPORT))

faults-of-notices: .venv/dev ## mail NOTICES (10000) while senders and mail server are killed KILLS (50) times, by SEED (1)
	env -u DATABASE_URL -u REDIS_URL -u BROKER_URL $(BIN)/python -m tests.faults.notices --notices $(or $(NOTICES),10000) \
		--kills $(or $(KILLS),50) --seed $(or $(SEED),1) $(if $(POSTGRES),--postgres)

# Clients in JavaScript, of others and the one in TypeScript, are tested where there is a Node for them.
CLIENTS_IN_JAVASCRIPT = if command -v npm >/dev/null && node -e '$(NEW_ENOUGH)'; then for place in tests/clients client/typescript; do ( cd $$place; \
	cmp -s package-lock.json node_modules/.checked || { npm ci --silent && cp package-lock.json node_modules/.checked; } ); done; \
	else echo 'SKIPPED: clients in JavaScript are not tested, they need Node 20.19 or newer and npm.' >&2; fi

TEMPLATES := accounts/templates crowdvote/templates democracy/templates
# The linter of style sheets comes by npm alone: without a Node that it runs on, it is left out, and said to be.
CHECK_CSS = if command -v npm >/dev/null && node -e '$(NEW_ENOUGH)'; then \
	cmp -s package-lock.json node_modules/.checked || { npm ci --silent && cp package-lock.json node_modules/.checked; }; \
	echo 'stylelint crowdvote/static' && node_modules/.bin/stylelint 'crowdvote/static/**/*.css'; \
	else echo 'SKIPPED: style sheets are not checked, stylelint needs Node 20.19 or newer and npm.' >&2; fi
NEW_ENOUGH = const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)

check: .venv/dev ## format, lint (Python, templates, JavaScript, CSS), types, import contracts, migrations, schema drift, documents, links, licences
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/djlint --quiet --lint $(TEMPLATES)
	$(BIN)/oxlint --report-unused-disable-directives crowdvote/static
	@$(CHECK_CSS)
	@if grep -rnE --include='*.html' --include='*.css' --include='*.js' --exclude-dir=vendor '.{161}' $(TEMPLATES) crowdvote/static; then \
		echo 'These lines have more than 160 characters.' >&2; exit 1; fi
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	@fresh=$$(mktemp) && trap 'rm -f "$$fresh"' EXIT && \
		$(BIN)/python manage.py export_schema crowdvote.api.schema --path "$$fresh" && diff -u schema.graphql "$$fresh" || \
		{ echo 'schema.graphql is not what the code says; see above, then: make schema' >&2; exit 1; }
	$(BIN)/python -m pytest --quiet tests/test_documents

docs: .venv/dev ## make a site of docs/ in var/docs
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open var/docs/index.html, or: $(BIN)/mkdocs serve"

format: .venv/dev ## format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schema: .venv/base ## write schema.graphql
	$(BIN)/python manage.py export_schema crowdvote.api.schema --path schema.graphql

clients: client/python/.venv/made ## make and build the clients of the API: in client/python/dist, and client/typescript with npm
	rm -rf client/python/crowdvote_client client/python/build client/python/dist
	cd client/python && .venv/bin/ariadne-codegen && .venv/bin/ariadne-codegen --config sync.toml
	cd client/python && .venv/bin/python -m build --no-isolation
	@$(CLIENTS_IN_JAVASCRIPT)
	if [ -d client/typescript/node_modules ]; then cd client/typescript && npm run build && npm pack; fi

bench: setup ## measure what docs/benchmarks.md claims
	$(BIN)/python manage.py bench

# Everything together first, then each part within it: Celery pins a package that the rest alone would resolve newer.
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

lock: .venv/dev ## pin the requirements again (UPGRADE=1: to the newest)
	$(UV_COMPILE) pyproject.toml --extra scaled --extra sign-in --extra dev --output-file requirements/all.txt
	$(UV_COMPILE) pyproject.toml --constraints requirements/all.txt --output-file requirements/base.txt
	$(UV_COMPILE) pyproject.toml --constraints requirements/all.txt --extra sign-in --extra dev --output-file requirements/dev.txt
	$(UV_COMPILE) pyproject.toml --constraints requirements/all.txt --extra scaled --extra sign-in --output-file requirements/scaled.txt
	$(UV_COMPILE) pyproject.toml --constraints requirements/all.txt --extra sign-in --output-file requirements/sign-in.txt
	$(UV_COMPILE) client/python/pyproject.toml --extra make --extra test --output-file client/python/requirements.txt
