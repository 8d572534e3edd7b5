# The commands of docs/ and the README. Every target sets up what it needs: a bare clone and Python 3.11 are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Three suit two cores, as journeys mostly wait; each brings its own PostgreSQL and Valkey.
TEST_WORKERS ?= 3
# Every process would compile all that it imports again and again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up test pages check bench requirements migrations openapi clean

help:
	@echo "make demo           the whole system on real traffic (ARGS=--once ends when every event arrived)"
	@echo "make up             the same stack without the sandbox, for use"
	@echo "make test           all tests, on real PostgreSQL and Valkey (ARGS='-k name' picks)"
	@echo "make pages          every page of the console in a browser: axe, phone width, hostile text"
	@echo "make check          lint, format, types, migrations, the API's document"
	@echo "make openapi        write docs/openapi.json from what the views say"
	@echo "make bench          speed, as ratios against the floor and the naive way"
	@echo "make requirements   compile requirements/*.txt from pyproject.toml"

setup: $(VENV)/installed

$(VENV)/installed: requirements/bootstrap.txt requirements/development.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/bootstrap.txt requirements/development.txt
	@touch $@

demo: setup
	@$(BIN)/python -m config.demo $(ARGS)

up: setup
	@exec $(BIN)/python -m config.stack $(ARGS)

test: setup
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadscope $(ARGS)

pages: setup
	EVERY_PAGE=1 $(BIN)/python -m pytest tests/journeys/browser/test_every_page.py $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m config.openapi --check

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

requirements:
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header requirements/bootstrap.in -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/production.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --all-extras -c requirements/production.txt pyproject.toml -o requirements/development.txt

openapi: setup
	$(BIN)/python -m config.openapi

migrations: setup
	$(BIN)/python manage.py makemigrations

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
