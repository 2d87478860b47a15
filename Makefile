.DEFAULT_GOAL := help
.PHONY: help install demo test coverage check up migrate lock format bench-sync bench-read bench-desk bench-classify bench-letters bench-fuzz

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# file by file in the order of their names: so the slow ones, tests/acceptance, begin first
ABREAST := -n auto --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Byreturn needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/.installed  ## install what is missing into .venv

demo: install  ## run the whole desk once on embedded servers and show what it did
	@$(BIN)/python -m demo run

up: install  ## start server, UI, worker and deployments on loopback until Ctrl-C
	@$(BIN)/python -m demo up

test: install  ## everything CI runs: linters, types, arrows, tests
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ABREAST) -rs --durations=12

coverage: install  ## the tests alone, twice as slow, and which lines they pass by
	$(BIN)/python -m pytest $(ABREAST) --cov --cov-report=term:skip-covered

check: install  ## linters, types and arrows alone
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

migrate: install  ## bring the database of the saved `byreturn` block to the current schema
	@$(BIN)/byreturn migrate

lock: install  ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --extra dev --extra demo --custom-compile-command "make lock" pyproject.toml -o requirements.lock

format: install  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-sync: install  ## measure the intake beside mbsync and others (as root on Debian it installs them); see bench/README.md
	@$(BIN)/python -m bench.sync $(ARGS)

bench-read: install  ## measure how fast mail is read, beside the standard library and others
	@$(BIN)/python -m bench.read $(ARGS)

bench-desk: install  ## measure the way from kept mail to ticket beside django-helpdesk
	@$(BIN)/python -m bench.desk $(ARGS)

bench-classify: install  ## measure how fast and how well the local model judges, beside scikit-learn
	@$(BIN)/python -m bench.classify $(ARGS)

bench-letters: install  ## measure how fast letters go out, beside smtplib
	@$(BIN)/python -m bench.letters $(ARGS)

bench-fuzz: install  ## look for mails that the reader can't bear, guided by coverage, for a minute
	@$(BIN)/python -m bench.fuzz $(ARGS)
