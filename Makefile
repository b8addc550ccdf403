# Écluse by name. It wants Python 3.11 to 3.14 and make (GNU make 3.81 or later); all it installs stays in .venv.
# Each target sets up what it needs; a stamp file in .venv says what is there, so the second run is quick.

.DEFAULT_GOAL := help
.PHONY: help demo test chaos lint format bench requirements clean moved
.SUFFIXES:

PYTHON ?= python3
UV ?= uv
DEMO_ARGS ?=
# Three at a time (on two cores a fifth of the time is waiting), a file whole on one side: its agency is founded once.
TEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
CHAOS_ARGS ?=
# Ready-made wheels only: nothing is compiled. Where one is missing (Intel Macs: cryptography) say `make demo WHEELS=`.
WHEELS ?= --only-binary :all:

BIN := .venv/bin
STAMPS := .venv/stamps
# Bytecode is left to the first import: half of what is installed is never imported.
PIP := $(BIN)/python -m pip install -qq --no-compile
LOCKED := $(WHEELS) --require-hashes

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1
# Container images forbid bytecode to save room; here every command, gate and worker of the tests would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

# A folder that was copied or moved has a .venv that points at the old place: it is made anew.
ifneq ($(shell cat $(STAMPS)/venv 2>/dev/null),$(CURDIR))
MOVED := moved
endif

help:
	@echo "make demo     a synthetic agency, working     DEMO_ARGS=\"--people 20000 --dir d --port 8091\""
	@echo "make test     every test                      TEST_ARGS=\"-m unit\""
	@echo "make chaos    faults and races, long forms    CHAOS_ARGS=\"crashes --cycles 500\""
	@echo "make lint     ruff, mypy, import-linter, djlint"
	@echo "make format   lay the code out as lint wants it"
	@echo "make bench    speed against a bare service    BENCH_ARGS=\"\""
	@echo "make clean    remove what the above made"

demo: $(STAMPS)/project
	@$(BIN)/ecluse demo $(DEMO_ARGS)

test: $(STAMPS)/test
	@$(BIN)/python -m pytest $(TEST_ARGS)

# What tests/chaos tries in short, tried for long; without arguments all of it, for some hours: docs/faults.md.
chaos: $(STAMPS)/test
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

# All checks run, then the verdict. mypy reads tests/typing too, once it is there; the last lines name the ten largest modules.
lint: $(STAMPS)/lint
	@failed=""; \
	check() { name="$$1"; shift; echo "== $$name"; "$$@" || failed="$$failed $$name"; }; \
	check ruff $(BIN)/ruff check --output-format concise .; \
	check layout $(BIN)/ruff format --check --output-format concise .; \
	check mypy $(BIN)/mypy src $(wildcard tests/typing); \
	check imports $(BIN)/lint-imports --no-logo; \
	if find src -name '*.html' | grep -q .; then check templates $(BIN)/djlint --quiet --lint src; fi; \
	echo "== largest modules (lines)"; \
	find src -name '*.py' -exec wc -l {} + | grep -v ' total$$' | sort -rn | head -10; \
	if [ -n "$$failed" ]; then echo "Refused by:$$failed"; exit 1; fi; \
	echo "All checks pass."

format: $(STAMPS)/lint
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: $(STAMPS)/bench
	@$(BIN)/python -m bench $(BENCH_ARGS)

# For maintainers, with uv at hand: pins stay as they are unless UPGRADE="--upgrade" or UPGRADE="--upgrade-package NAME".
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(UPGRADE)
requirements:
	$(COMPILE) pyproject.toml --extra evaluation -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) requirements/test.in -o requirements/test.txt
	$(COMPILE) requirements/lint.in -o requirements/lint.txt
	$(COMPILE) requirements/bench.in -o requirements/bench.txt

clean:
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Removed .venv and the tools' caches. Installations (ecluse-data, ecluse-demo) are left alone."

# The first Python found that is 3.11 to 3.14 and can make a venv.
$(STAMPS)/venv: $(MOVED)
	@found=""; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3.14; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; then \
	    found="$$python"; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Écluse needs Python 3.11, 3.12, 3.13 or 3.14 with its venv module, and found none." >&2; \
	  echo "Debian or Ubuntu: apt-get install python3-venv. macOS: brew install python. Elsewhere: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up in .venv with $$("$$found" --version) (first run: about 30 s) …"; \
	"$$found" -m venv --clear .venv
	@mkdir -p $(STAMPS) && printf '%s\n' "$(CURDIR)" > $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements/runtime.txt requirements/build.txt
	@echo "Installing what Écluse runs on …"
	@$(PIP) $(LOCKED) -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

$(STAMPS)/project: $(STAMPS)/runtime pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(STAMPS)/test: $(STAMPS)/project requirements/test.txt
	@echo "Installing what the tests need …"
	@$(PIP) $(LOCKED) -r requirements/test.txt
	@touch $@

$(STAMPS)/lint: $(STAMPS)/test requirements/lint.txt
	@echo "Installing the checkers …"
	@$(PIP) $(LOCKED) -r requirements/lint.txt
	@touch $@

$(STAMPS)/bench: $(STAMPS)/project requirements/bench.txt
	@echo "Installing the service that Écluse is measured against …"
	@$(PIP) $(LOCKED) -r requirements/bench.txt
	@touch $@
