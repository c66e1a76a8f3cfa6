# Every command sets up what it needs by itself; .ci/setup takes a moment when nothing has changed.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test lint bench soak lock
bin := .venv/bin

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the other commands need: Redis, Chromium, .venv
	@.ci/setup

demo: setup ## Scrape 50 channels of the stand-in site, end to end, then clean up
	@$(bin)/python -m garimpo demo

dev: setup ## Keep the whole stack running on this machine until Ctrl-C
	@$(bin)/python -m garimpo dev

test: setup ## Run every test that needs no containers
	$(bin)/pytest

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

lock: ## Make requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile -q --python-version 3.11 --universal --generate-hashes --all-extras \
		--group dev --custom-compile-command "make lock" pyproject.toml -o requirements.lock
