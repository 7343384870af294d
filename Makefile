# Two commands do everything: `make figures` and `make test`. Each first makes .venv from the pinned requirements.txt.
# Plain GNU make 3.81 (macOS); no bash needed.

PROFILE ?= class
ONLY ?=
DATA ?= sample
JOBS ?=
UPGRADE ?=
SCREENSHOTS ?=
AGAIN ?=
TIMES ?= 5000
SEED ?= 0
# The interpreter to make .venv with, for instance `make test PYTHON=/opt/python3.12/bin/python3`
PYTHON ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
BOOK := $(VENV)/.book

.PHONY: help figures report book test test-browser stress bench doctor data lock clean FORCE

help:
	@echo "make figures [PROFILE=smoke|class|paper] [ONLY=03,06] [DATA=folder|NAME=folder,...] [JOBS=1]   run the notebooks, write figures/"
	@echo "make report [PROFILE=...] [DATA=...]   write a run's results as a paper, HTML and PDF, in build/report/"
	@echo "make book      build the site of notebooks, results and functions in build/book/html/"
	@echo "make test      lint, types, tests, and every notebook in the smoke profile"
	@echo "make test-browser [SCREENSHOTS=1]   operate the widgets in JupyterLab and Chromium; SCREENSHOTS=1 renews figures/widgets/"
	@echo "make stress [TIMES=5000] [SEED=0] [ONLY=kind]   harm files and kill runs at random: nothing may come out wrong unsaid"
	@echo "make bench [ONLY=render]   measure speed and memory, and say what got slower since the last commit"
	@echo "make doctor    what this machine has and lacks"
	@echo "make data      render whatever is missing of the sample (it ships with the repository)"
	@echo "make lock      bring requirements*.txt in line with pyproject.toml; UPGRADE=1 takes the newest versions"
	@echo "make clean     remove caches, executed notebooks and .venv; keep data/raw and figures"

figures: $(READY)
	@$(BIN)/microx figures --profile "$(PROFILE)" --data "$(DATA)" $(if $(ONLY),--only "$(ONLY)") $(if $(JOBS),--jobs "$(JOBS)")

report: $(READY) $(BOOK)
	@$(BIN)/microx report --profile "$(PROFILE)" --data "$(DATA)"

book: $(READY) $(BOOK)
	@$(BIN)/microx book

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude "^$$" --ignore DEP002,DEP004
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Needs Chromium or Chrome; without one, the tests are skipped and the summary says so. AGAIN=1 repeats what failed.
test-browser: $(READY)
	$(if $(SCREENSHOTS),MICROX_SCREENSHOTS=1) $(BIN)/python -m pytest tests/browser -rs $(if $(AGAIN),--last-failed)

# Minutes. A failure prints the command that repeats it.
stress: $(READY)
	$(BIN)/python tests/stress.py --times $(TIMES) --seed $(SEED) $(if $(ONLY),--only "$(ONLY)")

# Minutes. Processor time is measured, but run nothing else on the machine if you can.
bench: $(READY)
	@$(BIN)/microx bench $(ONLY)

doctor: $(READY)
	@$(BIN)/microx doctor

data: $(READY)
	@$(BIN)/microx data render

# An interpreter counts only once it has run: version managers leave commands that only print an error.
# A .venv is rebuilt if its interpreter no longer runs (Python was removed) or its folder was moved (its commands name
# the old one): the stamp holds the folder, and $(STALE) asks for a rebuild when either check fails.
STALE := $(shell test -f $(READY) && { test "`cat $(READY)`" = "$(CURDIR)" && $(BIN)/python -c "" 2>/dev/null || echo FORCE; })
FORCE:
$(READY): requirements.txt pyproject.toml $(STALE)
	@right='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if test -f $@ && test "`cat $@`" != "$(CURDIR)" || ! $(BIN)/python -c "$$right" 2>/dev/null || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
	    if "$$candidate" -c "$$right" >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "make: no working Python 3.11 to 3.13 with venv found among: $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)." >&2; \
	    echo "make: install one (Debian, Ubuntu: python3 and python3-venv), or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$("$$found" --version)"; \
	  rm -rf $(VENV) && "$$found" -m venv $(VENV) || exit 1; \
	fi
	@echo "Installing the packages of requirements.txt into $(VENV) (once, about 2 GB, several minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@

# What only the report and the book need, on top.
$(BOOK): requirements-book.txt $(READY)
	@echo "Installing the packages of requirements-book.txt into $(VENV) (once)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off --require-hashes -r requirements-book.txt
	@touch $@

# The headers of both files stay; below that of requirements.txt comes what uv resolves for every Python and system at
# once, with a checksum of every file that pip may fetch. Versions pinned already are kept where they fit, so that a new
# package changes no other; UPGRADE=1 renews them all. requirements-conda.txt has the same pins without checksums, and
# requirements-book.txt those of the group `book`, at the versions of requirements.txt where both need a package.
lock:
	@mkdir -p build
	@test -x build/lock/bin/uv || { python3 -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	@cp requirements.txt build/lock/resolved.txt
	@build/lock/bin/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --extra dev \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) --quiet \
	  pyproject.toml --output-file build/lock/resolved.txt
	@{ sed -n '/^#/p' requirements.txt; cat build/lock/resolved.txt; } > build/lock/requirements.txt
	@{ sed -n '/^#/p' requirements-conda.txt; sed -e '/--hash=/d' -e 's/ \\$$//' build/lock/resolved.txt; } > build/lock/conda.txt
	@mv build/lock/requirements.txt requirements.txt
	@mv build/lock/conda.txt requirements-conda.txt
	@cp requirements-book.txt build/lock/book.txt
	@build/lock/bin/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --group book \
	  --constraint requirements.txt --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  $(if $(UPGRADE),--upgrade) --quiet --output-file build/lock/book.txt
	@{ sed -n '/^#/p' requirements-book.txt; cat build/lock/book.txt; } > build/lock/requirements-book.txt
	@mv build/lock/requirements-book.txt requirements-book.txt
	@echo "requirements*.txt are new; run make test before committing them"

clean:
	rm -rf $(VENV) build data/processed figures/runs .*_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
