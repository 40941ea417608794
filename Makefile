# The verbs, the same at home and in CI. Everything lives in .venv; nothing else of the machine is needed but
# Python >= 3.10 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
QUICKSTART := notebooks/00-quickstart.ipynb

.PHONY: setup demo lab check test notebooks bench results readme clean

setup: $(VENV)/.ready ## make .venv with everything

FRONT_END := $(wildcard $(addprefix extension/,src/*.* src/*/*.* schema/* package-lock.json build.mjs hatch_build.py)) \
	$(wildcard jupyter-config/*/*)

$(VENV)/.ready: pyproject.toml constraints-dev.txt $(FRONT_END)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip>=24"
	$(PIP) install --quiet --constraint constraints-dev.txt --editable ".[test]"
	$(BIN)/python scripts/develop.py
	touch $@

demo: setup ## train the CNN in the quickstart, print its accuracy, write the notebook as HTML
	$(BIN)/python scripts/demo.py $(QUICKSTART)

lab: setup ## open JupyterLab on the quickstart
	$(BIN)/jupyter lab $(QUICKSTART)

check: setup ## lint, format, types, known holes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/audit.py

test: setup ## every test there is; Debian's packages too where apt and root are there
	$(PYTHON) scripts/debian.py
	$(BIN)/python scripts/test.py

notebooks: setup ## execute the notebooks and keep their outputs
	$(BIN)/python scripts/notebooks.py

bench: setup ## the figures of the README, measured here
	$(BIN)/python bench/bench.py --write

results: setup ## the table of what each model reaches, measured here (minutes)
	$(BIN)/python bench/results.py --write

readme: setup ## the table of models, from their signatures
	$(BIN)/python scripts/readme.py

clean:
	rm -rf $(VENV) build dist artifacts nbmodels/views/static nbmodels/labextension extension/build extension/node_modules
