# Everything on a fresh machine: `make run` shows a network, `make test` checks this one.
# Needs make and CPython 3.11 or newer; the rest is installed into .venv, once per pyproject.toml.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
COMPILED := $(VENV)/compiled
TOPOLOGY ?= topologies/quickstart.yaml
TESTS ?=

# Hundreds of processes are started; what one of them has compiled, the next need not compile again.
export PYTHONDONTWRITEBYTECODE :=

.DELETE_ON_ERROR:
.PHONY: run test campaign papers lint format docs bench physics clean

run: $(STAMP)
	$(BIN)/qnetem run $(TOPOLOGY)

test: $(STAMP)
	@$(MAKE) --no-print-directory -j 2 lint $(COMPILED)
	$(BIN)/pytest -n 3 $(TESTS)

# What is drawn at random, ten times as often as in `make test` (tests/counts.py).
campaign: $(STAMP)
	QNETEM_FULL=1 $(BIN)/pytest -n 2 -m campaign $(TESTS)

# Published experiments at all their distances.
papers: $(STAMP)
	QNETEM_PAPERS=1 $(BIN)/pytest -n 2 -m papers $(TESTS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What docs/ shows of the code: the reference, the examples, outputs of commands, figures of benchmarks.
docs: $(STAMP)
	$(BIN)/python -m tests.docs.written
	$(BIN)/python benchmarks/page.py

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

physics: $(STAMP)
	$(BIN)/qnetem physics

# Compiled once, with the assertions as pytest rewrites them: else each worker of `make test` does all of it.
# A test that cannot be collected is the workers' to tell.
$(COMPILED): $(STAMP) $(shell find agents emulator qnetem tests -name '*.py')
	@$(BIN)/pytest --collect-only -q $(TESTS) >/dev/null 2>&1 || true
	@touch $@

# PYTHON=/path/to/python decides; otherwise the first new enough one on PATH.
$(STAMP): pyproject.toml
	@set -e; \
	if test ! -x $(BIN)/python; then \
	  found=; \
	  for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	        2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if test -z "$$found"; then \
	    echo 'qnetem needs CPython 3.11 or newer, with its venv module (on Debian and Ubuntu:' >&2; \
	    echo 'apt install python3 python3-venv); or name one: make PYTHON=/path/to/python' >&2; \
	    exit 1; \
	  fi; \
	  echo "$$found -m venv $(VENV)"; \
	  $$found -m venv $(VENV); \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,broker]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
