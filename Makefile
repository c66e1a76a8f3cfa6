# Every command runs .ci/setup first, which returns immediately if nothing has changed.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test e2e fuzz lint bench soak lock
bin := .venv/bin

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the other commands need: Redis, Chromium, .venv
	@.ci/setup

demo: setup ## Scrape 50 channels of the demo site, end to end, then clean up
	@$(bin)/python -m garimpo demo

dev: setup ## Run the whole stack on this machine until Ctrl-C
	@$(bin)/python -m garimpo dev

test: setup ## Run all tests that need no containers
	$(bin)/pytest -n 3 --dist loadfile

e2e: setup ## Test the containers of docker-compose.yml under failures (requires a Docker engine)
	$(bin)/pytest tests/e2e

fuzz: setup ## Send 10,000 generated requests to the API, and put random values into Redis
	FUZZ_EXAMPLES=160 $(bin)/pytest -n 2 tests/integration/test_openapi_fuzz.py \
		tests/integration/test_random_values.py

lint: setup ## Check style, types, imports, spelling and recipes
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/codespell
	.ci/check-words
	$(bin)/check-jsonschema --schemafile scraper/sites/recipe.schema.json scraper/sites/*.yaml

bench: setup ## Measure the claims of docs/performance.md (half an hour) and print their table
	$(bin)/python -m benchmarks

soak: setup ## Run JOBS=200 jobs while breaking workers, browsers and Redis at random (SEED=N)
	@$(bin)/python -m tests.soak $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED))

# requirements.lock is for development; each image has its own file, with the same versions.
compile := uv pip compile -q --python-version 3.11 --universal --generate-hashes \
	--custom-compile-command "make lock"
lock: ## Update the lock files from pyproject.toml (requires uv)
	$(compile) --all-extras --group dev pyproject.toml -o requirements.lock
	$(compile) --extra api -c requirements.lock pyproject.toml -o requirements-api.lock
	$(compile) --extra worker -c requirements.lock pyproject.toml -o requirements-worker.lock
	echo hatchling | $(compile) -c requirements.lock - -o requirements-build.lock
