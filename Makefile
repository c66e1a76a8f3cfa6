# Every command sets up what it needs by itself; .ci/setup takes a moment when nothing has changed.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test e2e lint bench soak lock
bin := .venv/bin

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the other commands need: Redis, Chromium, .venv
	@.ci/setup

demo: setup ## Scrape 50 channels of the stand-in site, end to end, then clean up
	@$(bin)/python -m garimpo demo

dev: setup ## Keep the whole stack running on this machine until Ctrl-C
	@$(bin)/python -m garimpo dev

test: setup ## Run every test that needs no containers
	$(bin)/pytest -n 2 --dist loadfile

e2e: setup ## Break the containers of docker-compose.yml (needs a Docker engine)
	$(bin)/pytest tests/e2e

lint: setup ## Check style, types, imports, spelling and recipes
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/codespell
	$(bin)/check-jsonschema --schemafile scraper/sites/recipe.schema.json scraper/sites/*.yaml

bench: setup ## Measure what the README claims
	$(bin)/python -m benchmarks

soak: setup ## Run JOBS=200 jobs while workers, browsers and Redis are broken at random (SEED=N)
	@$(bin)/python -m tests.soak $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED))

# The first is for development; each image has its own, with the same versions.
compile := uv pip compile -q --python-version 3.11 --universal --generate-hashes \
	--custom-compile-command "make lock"
lock: ## Make the lock files anew from pyproject.toml (needs uv)
	$(compile) --all-extras --group dev pyproject.toml -o requirements.lock
	$(compile) --extra api -c requirements.lock pyproject.toml -o requirements-api.lock
	$(compile) --extra worker -c requirements.lock pyproject.toml -o requirements-worker.lock
	echo hatchling | $(compile) -c requirements.lock - -o requirements-build.lock
