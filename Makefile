# `make help` lists the targets. Everything runs in .venv, which the targets build themselves.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PROTO := $(shell find proto/amtsbruecke -name '*.proto' 2>/dev/null)
ARGS ?=
TESTS ?= tests
# Processes for the tests: as many as the machine has, at most 4.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo $$n)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Build .venv from the locked dependencies, and the front-end files
	@sh scripts/setup.sh
	@sh scripts/frontend.sh

.PHONY: demo
demo: setup ## Umbrella, three centres, real requests; ARGS="--once --json", AMTSBRUECKE_HOME, AMTSBRUECKE_PORT_BASE
	@$(BIN)/amtsbruecke demo $(ARGS)

.PHONY: test
test: setup ## All tests; TESTS=tests/unit for some of them, ARGS for pytest
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(TESTS) $(ARGS)

.PHONY: servers
servers: setup ## The same with PostgreSQL 16 and RabbitMQ, where it matters; ARGS=17 for that one
	@$(BIN)/python scripts/other_servers.py $(ARGS)

.PHONY: bench
bench: setup ## Measure against the goals and this machine's limits; ARGS="--quick --json --only G1,G5"
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: faults
faults: setup ## Break everything under load, then count; ARGS="--messages N --seed S --json"
	@$(BIN)/python -m benchmarks.faults $(ARGS)

.PHONY: check
check: lint types contracts proto test ## Format, lint, types, contracts, protocol, tests: green before a commit

.PHONY: lint
lint: setup ## Formatting and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

.PHONY: format
format: setup ## Put the code into form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: types
types: setup ## Strict types
	@$(BIN)/mypy

.PHONY: contracts
contracts: setup ## The layers of the house
	@$(BIN)/lint-imports

.PHONY: proto
proto: setup ## Protocol lint, compatibility, drift of the generated code
	@sh scripts/proto.sh check

.PHONY: generate
generate: setup ## Generate the protocol's code anew
	@sh scripts/proto.sh generate

.PHONY: lock
lock: setup ## Renew the hashes of all dependencies (needs uv)
	@sh scripts/lock.sh

.PHONY: clean
clean: ## Remove what can be built again; data in AMTSBRUECKE_HOME stay
	@rm -rf .venv node_modules build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage
