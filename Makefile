# Two commands: `make lab` and `make test`. Each sets up .venv by itself, once (tools/setup.py).
# Written for GNU make 3.81, which macOS ships.

SET_UP = @sh tools/with-python tools/setup.py

.PHONY: help lab test test-slow lint format build pictures bench kernels soak versions clean

help:
	@sed -n 's/^## //p' Makefile

## make lab      open JupyterLab on the first notebook     ARGS="--no-browser --port 8899" go to JupyterLab
lab:
	$(SET_UP) lab
	@.venv/bin/taskref lab $(ARGS)

## make test     run every test, the linters and the type checker           ARGS="-k queue" go to pytest
test:
	$(SET_UP) dev
	@.venv/bin/python tools/test.py $(ARGS)

## make test-slow run what takes minutes: fresh environments, all mutants, all notebooks; needs an index    ARGS="-k mutants" go to pytest
test-slow:
	$(SET_UP) dev
	@.venv/bin/python tools/test.py --slow $(ARGS)

## make lint     run the linters and the type checker only
lint:
	$(SET_UP) dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright --pythonpath .venv/bin/python

## make format   format the code
format:
	$(SET_UP) dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

## make build    write notebooks/ anew from authoring/
build:
	$(SET_UP) dev
	.venv/bin/taskref build

## make pictures draw the pictures of docs/pictures anew that come out of a run
pictures:
	$(SET_UP) dev
	.venv/bin/python tools/pictures.py
	.venv/bin/python -m tests.browser.pictures
	.venv/bin/python -m tests.browser.key_cells

## make bench    measure everything and write benchmarks/RESULTS.md; an hour         ARGS="--only race" a part, ARGS=--quick a try
bench:
	$(SET_UP) dev
	.venv/bin/python -m benchmarks $(ARGS)

## make kernels  run the panel's kernel tests with ipykernel 6.31, 7.3 and the newest; minutes, needs an index
kernels:
	$(SET_UP) dev
	.venv/bin/python tools/kernels.py $(ARGS)

## make soak     break everything on purpose, with figures in docs/reliability.md; 8 minutes  ARGS=--quick only tries it
soak:
	$(SET_UP) dev
	.venv/bin/python -m tests.faults $(ARGS)

## make versions run the core's and the panel's tests on every Python here, with the lowest and the newest packages  ARGS="--lowest --here" as CI
versions:
	$(SET_UP) dev
	.venv/bin/python tools/versions.py $(ARGS)

## make clean    remove what was set up and all caches; notebooks and your progress stay
clean:
	rm -rf .venv .venv-bench .venv-kernels .venv-versions .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
