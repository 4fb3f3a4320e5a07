# make run, make test, make check: each does all its own set-up.
PYTHON ?= python3
RUN := .venv/bin/python
DEV := .venv-dev/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check install install-dev browser clean

help:
	@echo "make run    start the dashboard at http://127.0.0.1:8050 (PORT changes it)"
	@echo "make test   run every test"
	@echo "make check  ruff, mypy and the import contracts"
	@echo "make clean  remove the virtual environments"

run: .venv/installed
	@exec $(RUN) -m app run --with-parent

install: .venv/installed
install-dev: .venv-dev/installed

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The tests' environment is production's but for urllib3, which dash[testing] holds at an older release.
.venv-dev/installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv-dev
	grep -v '^urllib3==' requirements.txt > .venv-dev/production.txt
	$(DEV) -m pip install --quiet --disable-pip-version-check -r .venv-dev/production.txt -r requirements-dev.txt
	@touch $@

check: .venv-dev/installed
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .
	$(DEV) -m mypy
	.venv-dev/bin/lint-imports

clean:
	rm -rf .venv .venv-dev
