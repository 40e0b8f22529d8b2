# make demo   a scan in, a polycrystal out: results, picture and report in demo_out/
# make test   linters, types and tests
# Both set up what they need, in .venv (or in the active virtual environment), once: again only when pyproject.toml changes.
# A CPU build of torch saves gigabytes where pip offers one: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test

VENV ?= $(or $(VIRTUAL_ENV),.venv)
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.microgen-ready
JOBS ?= auto
TORCH ?= torch==2.13.0

.PHONY: demo test lint types build clean

demo: $(READY)
	mkdir -p demo_out
	$(BIN)/microgen polycrystal --ebsd data/dual_phase.ang --shape 96 96 96 --overwrite \
		--out demo_out/rve.tif --out demo_out/rve.vti --out demo_out/rve.csv --report demo_out/rve_report.html
	$(BIN)/python examples/picture.py demo_out/rve.vti demo_out/rve.png
	@echo; echo "open demo_out/rve_report.html in a browser, demo_out/rve.vti in ParaView; the picture is demo_out/rve.png"

test: lint types
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart=0

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pyright --pythonpath $(BIN)/python

build: $(READY)
	$(BIN)/python -m build

clean:
	rm -rf build dist demo_out *.egg-info .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "microgen needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -e ".[dev]"
	@touch $@
