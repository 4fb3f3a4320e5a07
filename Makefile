# make run, make test, make check: each does all its own set-up.
PYTHON ?= python3
RUN := .venv/bin/python
DEV := .venv-dev/bin/python
# Two processes, each with a Redis and a simulator of its own; one that has nothing left takes tests from the other.
PYTEST_ARGS ?= -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run demo test test-fast check bench bench-ui screenshots bench-api bench-history chaos security install install-dev browser clean

help:
	@echo "make run        start the dashboard at http://127.0.0.1:8050 (PORT changes it)"
	@echo "make demo       the same on the simulator, whatever the credentials"
	@echo "make test       run every test"
	@echo "make test-fast  run the tests that need nothing running"
	@echo "make check      ruff, mypy and the import contracts"
	@echo "make security attack the server, and print what was found"
	@echo "make bench      measure the engine and the way in against their peers"
	@echo "make chaos      do faults to the product and measure what comes of them (about half an hour)"
	@echo "make bench-ui   measure the page in a real browser"
	@echo "make screenshots  look at every view at every width, and keep the pictures under docs/"
	@echo "make bench-api  measure REST under a crowd of clients"
	@echo "make bench-history  measure recording and looking back (CHAIN=a Cboe CSV of SPX)"
	@echo "make clean      remove the virtual environments"

run: .venv/installed
	@exec $(RUN) -m app run --with-parent

demo: .venv/installed
	@exec $(RUN) -m app demo --with-parent

test: install-dev browser
	@exec $(DEV) -m pytest -q $(PYTEST_ARGS) tests

test-fast: .venv-dev/installed
	@exec $(DEV) -m pytest -q tests/unit

install: .venv/installed
install-dev: .venv-dev/installed .venv-dev/production-urllib3/installed

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or later: make run PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The tests' environment is production's but for urllib3, which dash[testing] holds at an older release.
.venv-dev/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or later: make test PYTHON=python3.11")'
	$(PYTHON) -m venv .venv-dev
	grep -v '^urllib3==' requirements.txt > .venv-dev/production.txt
	$(DEV) -m pip install --quiet --disable-pip-version-check -r .venv-dev/production.txt -r requirements-dev.txt
	@touch $@

# Schwabdev needs production's urllib3: its test runs with this folder in front of the tests' environment.
.venv-dev/production-urllib3/installed: .venv-dev/installed
	grep '^urllib3==' requirements.txt > .venv-dev/urllib3.txt
	rm -rf .venv-dev/production-urllib3
	$(DEV) -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-dev/production-urllib3 -r .venv-dev/urllib3.txt
	@touch $@

# Chromium for the browser tests, through apt where that may be done. Where it may not, those tests are skipped, by name
# and with the command that installs it; under CI=true they fail.
browser:
	@.ci/browser

check: .venv-dev/installed
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .
	$(DEV) -m mypy
	.venv-dev/bin/lint-imports

bench: .venv-bench/installed
	@.venv-bench/bin/python -m benchmarks.engine
	@exec .venv-bench/bin/python -m benchmarks.ingest

# CHAOS_ARGS="--rows 1,3 --quick" runs some.
chaos: .venv-dev/installed
	@exec $(DEV) -m benchmarks.chaos $(CHAOS_ARGS)

# Attacks on the whole product, the long ones included; prints a table and writes benchmarks/results/security.json.
security: install-dev browser
	@exec env GEX_SECURITY=full $(DEV) -m pytest -q --timeout 900 tests/security $(SECURITY_ARGS)

# CHAIN is a real chain to make the day around.
bench-history: .venv-dev/installed
	@exec $(DEV) -m benchmarks.history $(CHAIN) --year --kills 200 --feed 90

# Needs Chromium (make browser) and some forty minutes; ROWS=1,2,3 measures a few figures alone.
bench-ui: install-dev browser
	@exec $(DEV) -m benchmarks.ui $(if $(ROWS),--rows $(ROWS))

# Row 9 alone, its pictures into docs/screenshots.
screenshots: install-dev browser
	@exec $(DEV) -m benchmarks.ui --rows 9 --pictures docs/screenshots

bench-api: install-dev
	@exec $(DEV) -m benchmarks.api

.venv-bench/installed: requirements.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf .venv .venv-dev .venv-bench
