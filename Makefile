# make demo   see it work on a clip made here      make check   linters and types
# make test   run the tests                        make help    all targets
#
# Python 3.11 or newer and make are all that has to be there; PYTHON=python3.12 picks another interpreter,
# VENV=somewhere another place for the environment. pip takes its settings (index, proxy) as it always does.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
# One version for everybody who checks types; any build of it will do.
TORCH ?= torch==2.13.0

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Dependency groups need pip 25.1; reading them here works with every pip.
GROUP = $(BIN)/python -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")'
# Measuring the repaired copy shows that the shift was right, not that the number was: that is compared with the truth.
COMPARE = import clapboard, sys; found_ms = clapboard.check("demo/talk.mp4").offset.offset_ms; \
  print(f"\nby construction +300 ms, measured {found_ms:+.0f} ms"); \
  sys.exit(0 if abs(found_ms - 300) <= 40 else "demo: that is more than one frame apart")
SAY = printf '\n$$ %s\n'

.PHONY: help demo test test-train test-scale test-browser check clean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1: \2/p' Makefile

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Clapboard needs Python 3.11 or newer; name one with PYTHON=..., as in: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python could not make an environment; on Debian and Ubuntu install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	@echo "installing Clapboard into $(VENV) (about 350 MB, once)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@$(GROUP) test > $(VENV)/test.txt
	@$(PIP) --requirement $(VENV)/test.txt
	@touch $@

$(VENV)/installed-train: $(VENV)/installed-test
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/installed-scale: $(VENV)/installed-test
	@$(PIP) --editable '.[scale]'
	@touch $@

$(VENV)/installed-serve: $(VENV)/installed-test
	@$(PIP) --editable '.[serve]'
	@touch $@

# Debian's own Chromium plays H.264; the one that Playwright would fetch does not.
$(VENV)/installed-browser: $(VENV)/installed-serve
	@$(GROUP) browser > $(VENV)/browser.txt
	@$(PIP) --requirement $(VENV)/browser.txt
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { as=; test "$$(id -u)" -eq 0 || as=sudo; $$as apt-get update -qq && $$as apt-get install -y -qq chromium; }
	@touch $@

$(VENV)/installed-lint: $(VENV)/installed-train $(VENV)/installed-serve
	@$(GROUP) lint > $(VENV)/lint.txt
	@$(PIP) --requirement $(VENV)/lint.txt
	@touch $@

demo: $(VENV)/installed  ## render a talking face with sound 300 ms early, find it, repair it, verify it
	@rm -rf demo && mkdir demo
	@$(SAY) 'python examples/talking_face.py demo/talk.mp4 --sound-early-ms 300'
	@$(BIN)/python examples/talking_face.py demo/talk.mp4 --sound-early-ms 300
	@$(SAY) 'clapboard check demo/talk.mp4'
	@$(BIN)/clapboard check demo/talk.mp4; code=$$?; \
	  test $$code -eq 1 || { echo "demo: exit code 1 (out of sync) was expected, not $$code" >&2; exit 1; }
	@$(BIN)/python -c '$(COMPARE)'
	@$(SAY) 'clapboard fix demo/talk.mp4'
	@$(BIN)/clapboard fix demo/talk.mp4
	@$(SAY) 'clapboard check demo/talk.synced.mp4'
	@$(BIN)/clapboard check demo/talk.synced.mp4
	@printf '\nFound, repaired, verified. Both files are in demo/: play them to see the difference.\n'

test: $(VENV)/installed-test  ## run the tests; those for training and clusters are skipped without what they need
	@$(BIN)/python -m pytest -n $(JOBS)

test-train: $(VENV)/installed-train  ## install torch and run the tests for training
	@$(BIN)/python -m pytest -m train

test-scale: $(VENV)/installed-scale  ## install Ray and run the tests on a cluster of two nodes on this machine
	@$(BIN)/python -m pytest -m scale

test-browser: $(VENV)/installed-browser  ## install Starlette, Playwright and Chromium and run the tests of pages
	@$(BIN)/python -m pytest -m "serve or browser"

# The types of training/ are those of torch, those of serving/ those of Starlette: they have to be there to be checked.
check: $(VENV)/installed-lint  ## ruff and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean:  ## remove what the targets above made
	rm -rf demo $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
