# Everything a newcomer needs: `make demo` runs the main job, `make test` the tests; both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test test-slow lint clean

help:
	@echo "make setup      create .venv, install the package, and ngspice where it is missing"
	@echo "make demo       run the main job, netlist to accuracy, and say where the report is"
	@echo "make test       run the tests"
	@echo "make test-slow  run the checks that take longer than the tests"
	@echo "make lint       style, types and layers"
	@echo "make clean      remove .venv and the runs (results/ stays)"

setup: $(STAMP)
	@sh scripts/ngspice.sh

$(STAMP): pyproject.toml scripts/python.sh
	@sh scripts/python.sh "$(PYTHON)" "$(VENV)"
	@touch $(STAMP)

demo: setup
	$(BIN)/cosim study demo
	@echo "open $(CURDIR)/results/demo/report.html in a browser"

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal tests

test-slow: setup
	$(BIN)/python -m pytest -m slow tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) runs
