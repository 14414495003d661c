# Every target goes through .ci/setup.py, which makes .venv when it has to. With no make at hand, call it yourself:
# python3 .ci/setup.py run

PYTHON ?= python3
ARGS ?=
SECONDS ?= 60
SETUP := $(PYTHON) .ci/setup.py

.PHONY: help run test check bench gallery fuzz killed monkey lecture torch dev clean

help:  ## show this list
	@echo 'make TARGET [ARGS="…"] [PYTHON=python3.12]'
	@awk -F ':  ## ' '/^[a-z]+:  ## / { printf "  %-8s%s\n", $$1, $$2 }' Makefile

run:  ## start the program; ARGS: a lesson or a file
	@$(SETUP) run $(ARGS)

test:  ## run the tests; ARGS: what pytest takes, as in ARGS="-k conv"
	@$(SETUP) test $(ARGS)

check:  ## ruff, mypy and import-linter
	@$(SETUP) check

bench:  ## measure how fast all is, beside what is wanted, in 4 minutes; ARGS: parts
	@$(SETUP) bench $(ARGS)

gallery:  ## write telling frames of all lessons to build/gallery; ARGS: lessons, or --every
	@$(SETUP) gallery $(ARGS)

fuzz:  ## damage files for SECONDS, as many as can be; ARGS: kinds of files, or --seed N KIND
	@$(SETUP) fuzz $(SECONDS) $(ARGS)

killed:  ## kill processes in the middle of saving or exporting a lesson; ARGS: how many
	@$(SETUP) killed $(ARGS)

monkey:  ## press keys and click at random for SECONDS; ARGS: --seed N, --again FILE
	@$(SETUP) monkey $(SECONDS) $(ARGS)

lecture:  ## give a lecture of 100,000 presses, with screens that come and go; ARGS: how many, --seed N
	@$(SETUP) lecture $(ARGS)

torch:  ## compare random networks with PyTorch, where it is installed; ARGS: --record
	@$(SETUP) torch $(ARGS)

dev:  ## install everything a developer needs into .venv
	@$(SETUP) dev

clean:  ## remove .venv, caches and builds
	rm -rf .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
