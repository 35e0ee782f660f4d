# The tasks of development; `make help` lists them. Each target sets up what it needs, says so, and ends in seconds when
# nothing changed. PYTHON=python3.12 make test uses that Python, in an environment of its own.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

ifeq ($(origin PYTHON),undefined)
PYTHON := python3
VENV := .venv
else
VENV := .venv-$(patsubst -%,%,$(subst /,-,$(PYTHON)))
endif

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMPS := $(VENV)/stamps
HOST ?= 127.0.0.1
PORT ?= 8000

COMPILED := $(foreach kind,pyx pxd h,$(wildcard atlas/_speedups/*.$(kind) atlas/_speedups/*/*.$(kind)))
DOORS := $(wildcard tests/compiled/*.pyx tests/compiled/*.pxd)
STUBS := $(wildcard atlas/_speedups/*/*.pyi)
MODE := $(if $(filter 1,$(ATLAS_DEBUG_BUILD)),debug,release)
OTHER_MODE := $(if $(filter debug,$(MODE)),release,debug)

# The tests run in as many processes as there are cores, a file in one of them. PARALLEL= runs them in one process, for
# a debugger: make tests PARALLEL= ARGS='--pdb -k limits'
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PARALLEL ?= -n $(CORES) --dist loadfile

comma := ,
say = @printf '\033[1m==> %s\033[0m\n' '$(1)'

.PHONY: help venv build build-tests serve test quick lint types tests sanitize jinja-suite format wheel docs bench bench-check bench-web fuzz autobahn leaks load endurance clean

help: ## list the targets
	@echo 'make TARGET   (PYTHON=python3.12 make TARGET uses that Python; ATLAS_DEBUG_BUILD=1 compiles with all checks)'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------------- set-up

# A pyenv shim is found on PATH and still runs nothing; then the version may lie beside it.
INTERPRETER = $(or $(shell for each in $(PYTHON) $(HOME)/.pyenv/versions/*/bin/$(PYTHON); do \
	"$$each" -c '' 2>/dev/null && echo "$$each" && break; done),$(PYTHON))
HEADERS := import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))
complain = { echo "Error: $(1)" >&2; exit 1; }

$(BIN)/python:
	$(eval python := $(INTERPRETER))
	@$(python) -c '' 2>/dev/null || $(call complain,there is no $(PYTHON) here: install it by: apt-get install python3 python3-venv python3-dev)
	@$(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || $(call complain,Atlas needs Python 3.11 or newer$(comma) and $(PYTHON) is $$($(python) -V): name another one$(comma) as in: PYTHON=python3.12 make $(MAKECMDGOALS))
	@command -v "$${CC:-cc}" >/dev/null || $(call complain,Atlas is compiled$(comma) and there is no C compiler here: install one by: apt-get install gcc python3-dev)
	@$(python) -c '$(HEADERS)' || $(call complain,Atlas is compiled$(comma) and the headers of $(PYTHON) are missing: install them by: apt-get install python3-dev)
	@$(python) -c 'import venv, ensurepip' 2>/dev/null || $(call complain,$(PYTHON) cannot make environments: install what it lacks by: apt-get install python3-venv)
	$(call say,making $(VENV) with $(python))
	@$(python) -m venv $(VENV)

# The compiled modules. ATLAS_SKIP_BUILD keeps pip from compiling them a second time.
$(STAMPS)/tools: $(BIN)/python pyproject.toml
	$(call say,installing build tools)
	@mkdir -p $(STAMPS)
	@$(PIP) install 'setuptools>=77' 'Cython>=3.1'
	@touch $@

$(STAMPS)/built-$(MODE): $(STAMPS)/tools setup.py $(COMPILED)
	$(call say,compiling atlas/_speedups ($(MODE)))
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@rm -f $(STAMPS)/built-$(OTHER_MODE) && touch $@

# The tests' own extension modules: doors into the compiled core, which no wheel contains.
$(STAMPS)/doors-$(MODE): $(STAMPS)/built-$(MODE) $(DOORS)
	$(call say,compiling tests/compiled ($(MODE)))
	@ATLAS_TEST_BUILD=1 $(BIN)/python setup.py --quiet build_ext --inplace
	@rm -f $(STAMPS)/doors-$(OTHER_MODE) && touch $@

define install
	$(call say,installing atlas-web$(1) in $(VENV))
	@ATLAS_SKIP_BUILD=1 $(PIP) install --no-build-isolation --editable '.$(1)'
	@touch $@
endef

$(STAMPS)/run: $(STAMPS)/tools pyproject.toml setup.py
	$(call install,)

$(STAMPS)/test: $(STAMPS)/tools pyproject.toml setup.py
	$(call install,[dev$(comma)test])

$(STAMPS)/bench: $(STAMPS)/tools pyproject.toml setup.py
	$(call install,[bench])

venv: $(STAMPS)/test ## make the environment, with everything that development needs
build: $(STAMPS)/built-$(MODE) ## compile what changed
build-tests: $(STAMPS)/doors-$(MODE) ## compile what changed, the extension modules of the tests included

# ------------------------------------------------------------------------------------------------------------- use

serve: $(STAMPS)/built-$(MODE) $(STAMPS)/run ## serve the example site on http://127.0.0.1:8000
	$(call say,starting the example site; Ctrl+C stops it)
	@exec $(BIN)/atlas serve --app-dir examples/forum main:app --host $(HOST) --port $(PORT) --timeout-graceful-shutdown 2

# ---------------------------------------------------------------------------------------------------------- checks

test: lint types tests ## run every check: lint, types, tests

# Not in `quick`: browsers, other frameworks and servers, databases, processes, the documentation, the wire
# tests, and what is marked as slow.
SLOW := bench browser cli docs examples fuzz interop leaks sqlalchemy typing wire \
	$(addprefix server/,test_forks.py test_process_end.py test_signals.py logs/test_output.py systemd workers tls)
quick: lint types $(STAMPS)/doors-$(MODE) ## lint, types and the fast tests
	$(call say,fast tests)
	@ATLAS_TEST_QUICK=1 $(BIN)/python -m pytest -q -m 'not slow' $(PARALLEL) $(SLOW:%=--ignore=tests/%) $(ARGS)

lint: $(STAMPS)/test ## ruff: rules and format
	$(call say,lint)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMPS)/test $(STAMPS)/built-$(MODE) ## mypy, and stubtest for the compiled modules
	$(call say,types)
	@$(BIN)/mypy
	@$(if $(STUBS),$(BIN)/stubtest atlas._speedups --allowlist .ci/stubtest.txt --ignore-unused-allowlist --ignore-disjoint-bases)

tests: $(STAMPS)/test $(STAMPS)/doors-$(MODE) ## pytest; ARGS='-k limits -x' are passed on
	$(call say,tests)
	@$(BIN)/python -m pytest -q $(PARALLEL) $(ARGS)

format: $(STAMPS)/test ## mend and format the code by ruff
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

leaks: $(STAMPS)/test $(STAMPS)/doors-$(MODE) ## 20,000 requests with the garbage collector off: no object may stay
	$(call say,leaks)
	@ATLAS_LEAKS_FULL=1 $(BIN)/python -m pytest -q tests/leaks $(ARGS)

sanitize: $(STAMPS)/test $(STAMPS)/doors-$(MODE) ## tests of the compiled core under AddressSanitizer and UBSan
	$(call say,compiling with sanitizers)
	@$(BIN)/python .ci/sanitize.py $(PARALLEL) $(ARGS)

jinja-suite: $(STAMPS)/test $(STAMPS)/built-$(MODE) ## the test suite of Jinja2 on the template engine of Atlas
	$(call say,the test suite of Jinja2)
	@$(BIN)/python .ci/jinja_suite.py $(ARGS)

SECONDS_TO_FUZZ ?= 60
fuzz: $(STAMPS)/test $(STAMPS)/doors-$(MODE) ## coverage-guided fuzzing; SECONDS_TO_FUZZ=600 for longer
	$(call say,fuzzing for $(SECONDS_TO_FUZZ) s)
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS_TO_FUZZ)

WSTEST ?= wstest
autobahn: $(STAMPS)/built-$(MODE) $(STAMPS)/run ## the Autobahn test suite's fuzzing client (needs wstest): WSTEST=path
	@command -v '$(WSTEST)' >/dev/null || { echo 'Error: make autobahn needs wstest, for Python 2.7: pip install autobahntestsuite' >&2; exit 1; }
	$(call say,Autobahn test suite$(comma) some minutes)
	@$(BIN)/python .ci/autobahn.py '$(WSTEST)' $(ARGS)

# --------------------------------------------------------------------------------------------------------- figures

bench: $(STAMPS)/test $(STAMPS)/bench $(STAMPS)/built-$(MODE) ## requests in memory, then Atlas beside other servers (needs wrk)
	$(call say,benchmarks in memory)
	@$(BIN)/python -m pytest -q bench --benchmark-enable --benchmark-only $(ARGS)
	$(call say,side by side)
	@$(BIN)/python -m bench.side_by_side

BASE ?= main~1
bench-check: $(STAMPS)/test $(STAMPS)/bench $(STAMPS)/built-$(MODE) ## compare benchmarks with those of a commit (needs valgrind): BASE=main~1
	$(call say,benchmarks beside $(BASE))
	@$(BIN)/python -m bench.regression --built --base '$(BASE)' $(ARGS)

bench-web: $(STAMPS)/bench $(STAMPS)/built-$(MODE) ## web applications beside other frameworks, into docs/performance.md (needs wrk)
	$(call say,without a socket)
	@$(BIN)/python -m bench.in_process --out bench/results
	$(call say,under load$(comma) six minutes)
	@$(BIN)/python -m bench.side_by_side.web $(ARGS)
	@$(BIN)/python -m bench.page

endurance: $(STAMPS)/run $(STAMPS)/built-$(MODE) ## restart and kill workers under load: 20 s, 3 restarts, 10 kills
	$(call say,restarts under load)
	@$(BIN)/python -m bench.restarts $(ARGS)

load: $(STAMPS)/run $(STAMPS)/built-$(MODE) ## load the example site with wrk for ten seconds, on a free port
	@command -v wrk >/dev/null || { echo 'Error: make load needs wrk: install it by: apt-get install wrk' >&2; exit 1; }
	$(call say,10 s of load on the example site)
	@$(BIN)/python .ci/load.py

# -------------------------------------------------------------------------------------------------------- products

wheel: $(STAMPS)/tools ## build sdist and wheel, into dist/
	$(call say,building sdist and wheel)
	@$(PIP) install build
	@rm -rf dist
	@mkdir -p build
	@$(BIN)/python -m build --outdir dist . >build/wheel.log 2>&1 || { tail -n 40 build/wheel.log >&2; exit 1; }
	@ls dist

docs: $(STAMPS)/test $(STAMPS)/built-$(MODE) ## build the documentation, into build/docs
	$(call say,building the documentation)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo build/docs/index.html

clean: ## remove build products, caches and environments
	rm -rf build dist .venv .venv-* *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find atlas tests bench examples -name '*.so' -delete -o -name __pycache__ -prune -exec rm -rf {} +
