# make demo         the light core and a real network's table
# make quick        the tests that need no Keras, in a minute
# make test         everything: lint, types, import directions, the site, the default suite
# make test-all     the same and what is marked slow
# make test-lowest  the tests that need no Keras, with the lowest versions that pyproject.toml allows
# make docs         the site of docs/, in build/docs/html/index.html
# make coverage     the default suite, and which lines it does not run
#
# PYTHON=python3.12 is the interpreter (of test and coverage too), ARGS=tests/arith narrows the tests.

PYTHON ?= python3
# another interpreter has an environment of its own
VENV   ?= .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
BIN    := $(VENV)/bin
PINNED ?= -c constraints.txt
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINNED)
WORKERS ?= 2

.PHONY: help demo install dev check docs page quick test test-all test-lowest coverage format clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# make/make/p; s/^# PYTHON/\nPYTHON/p' Makefile

demo: $(VENV)/core.stamp
	$(BIN)/archcalc analyze examples/resnet50.json --depth 1

install: $(VENV)/core.stamp
dev: $(VENV)/dev.stamp

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# warnings are errors; only pages that changed are read again
docs: $(VENV)/dev.stamp
	$(BIN)/python -m sphinx -W --keep-going -q -c docs -d build/docs/doctrees . build/docs/html

quick: $(VENV)/light.stamp
	HYPOTHESIS_PROFILE=quick $(RUN) --light $(LEFT_OUT)

test: check page docs
	$(PYTEST)

test-all: check docs
	$(PYTEST) -m ""

coverage: $(VENV)/dev.stamp
	$(PYTEST) --cov --cov-report term:skip-covered --cov-report html

test-lowest:
	$(MAKE) --no-print-directory quick VENV=$(VENV)-lowest LEFT_OUT= PINNED= EXACT="$$($(PYTHON) -c $(LOWEST))"

PYTEST = HYPOTHESIS_PROFILE=ci $(RUN) --durations 5
RUN    = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)
# of `make quick`: a process, or many networks, for each test
LEFT_OUT = $(addprefix --ignore=tests/,hostile properties readers/test_hostile.py test_lightness.py \
	test_completion.py \
	test_shown.py review/test_planted.py arith/test_size_type.py render/page writers/test_spec.py \
	design/test_dask.py design/test_solve.py design/test_sweep_cli.py design/test_unfinished.py)
LOWEST = "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	print(*(d.replace('>=', '==') for d in project['dependencies']))"

# The script and the style of HTML pages, if node is here; and whether a browser is.
page:
	@archcalc/render/page/ts/check.sh

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-* build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Reinstalled only when what is to be installed has changed.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/light.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[test]' $(EXACT)
	@touch $@ $(VENV)/core.stamp

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/core.stamp $(VENV)/light.stamp
