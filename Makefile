# Needs Python 3.11 or newer and make; ./booking fetches the rest into the checkout. Every target is one line of ordinary commands.
BIN := .venv/bin
# Hundreds of processes are started: compiled modules save each of them a second.
unexport PYTHONDONTWRITEBYTECODE

BROWSER := tests/e2e/test_gateway_in_a_browser.py tests/e2e/test_gateway_live.py
SECURE := tests/e2e/test_secure.py
STREAMS := tests/e2e/test_seed.py tests/e2e/test_consuming_page.py
GAMEDAY := tests/e2e/test_gameday.py

.PHONY: help setup demo up down test e2e browser streams secure analytics analytics-test upgrade machines gameday gameday-test quick docs lint generate release bench pictures chaos clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1|/' | column -t -s '|'

setup: ## fetch everything the project needs (the other targets do it by themselves)
	@./booking setup

demo: ## play the whole flow on real PostgreSQL and Kafka, each step shown
	@./booking demo

up: ## start the system and leave it running
	@./booking up --detach

down: ## stop it
	@./booking down

test: setup ## the tests of each part on real servers, in four processes with servers of their own; what starts a whole stack is in the targets below
	$(BIN)/pytest -n 4 --dist loadfile -m "not e2e" --ignore tests/benchmarks

e2e: setup ## the whole system through HTTP: the flow, crashes, replays, poison, erasure, the audit, the gateway's pages
	$(BIN)/pytest -n 3 --dist loadfile tests/e2e $(addprefix --ignore ,$(BROWSER) $(STREAMS) $(SECURE) $(GAMEDAY))

browser: setup ## the gateway's pages in a real browser, which comes from npm
	$(BIN)/pytest $(BROWSER)

streams: setup ## what a data team meets: docs/consuming.md block by block, and a seed with every type of event
	$(BIN)/pytest $(STREAMS)

secure: setup ## the whole flow on a stack with TLS, passwords and permissions
	$(BIN)/pytest $(SECURE)

analytics: setup ## the example of a data team on the running stack: from the topics to a report in .booking-lake
	examples/analytics/run

analytics-test: setup ## the same in small, on a stack of its own: killed, a topic replaced, somebody erased
	$(BIN)/pytest tests/examples/test_analytics.py tests/examples/test_lake_alone.py

upgrade: setup ## the release before and this one side by side under load: forwards, back, forwards again
	$(BIN)/pytest tests/upgrade

machines: setup ## three brokers and a PostgreSQL with a replica: two brokers and the primary are lost under load
	$(BIN)/pytest tests/machines

gameday: setup ## play the incidents on a stack of its own, and write the table of docs/runbooks/gameday.md: half an hour
	@./booking gameday --write

gameday-test: setup ## three quick incidents of it, and that it can lose
	$(BIN)/pytest $(GAMEDAY)

quick: setup ## lint and, beside it, the tests that need no server: within two minutes
	@$(MAKE) --no-print-directory lint & lint=$$!; \
	$(BIN)/pytest -n 2 -m "not servers and not e2e and not docker" -q --ignore tests/benchmarks --ignore tests/clients/test_clients_typed.py; tests=$$?; wait $$lint && exit $$tests

lint: setup ## style, types, layering
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright && $(BIN)/lint-imports

generate: setup ## rewrite everything that is generated: schemas, AsyncAPI, OpenAPI, the clients, the pages of events and rules
	$(BIN)/python -m booking_contracts.generate
	$(BIN)/python -m checkout openapi > services/checkout/openapi.json
	$(BIN)/python -m consultation openapi > services/consultation/openapi.json
	$(BIN)/python -m notifier.mail.compile_layout
	$(BIN)/python -m notifier openapi > services/notifier/openapi.json
	$(BIN)/python -m calendar_projector openapi > services/calendar-projector/openapi.json
	$(BIN)/python -m tests.api.join
	$(BIN)/python -m booking_gateway.words.catalog
	$(BIN)/python -m tests.rules.traceability
	$(BIN)/python -m clients.generate
	$(BIN)/python -m deploy.kubernetes.generate
	$(BIN)/python -m booking_ops.access.page docs/access.md
	$(BIN)/python examples/analytics/staging.py
	$(BIN)/python -m tests.observability.dashboards

docs: setup ## the pages as a site, in .site/html; broken links and loads from elsewhere are refused
	@$(BIN)/python -m docs.site.build

release: setup ## wheels, npm packages, SBOM, licences, audit and checksums of what is committed, in dist/; with REGISTRY=… the images
	@$(BIN)/python -m deploy.release.make

bench: setup ## measure against the floors of docs/benchmarks.md (never part of the tests)
	@./booking bench

pictures: setup ## take the pictures of docs/pictures of the running thing, with seeded people
	$(BIN)/python -m tests.e2e.pictures

chaos: setup ## break things on purpose and check that nothing was lost; SECONDS=600 SEED=3 for a longer run of another seed, CHAOS_DISK=1 to fill disks too, CHAOS_CLOCK=1 to move clocks
	CHAOS_SECONDS=$(SECONDS) CHAOS_SEED=$(SEED) CHAOS_FOLDER=.booking-chaos $(BIN)/pytest tests/chaos

clean: ## remove the environment, the downloads and the local stack's state
	@./booking down >/dev/null 2>&1; rm -rf .venv .tools .booking
