# `make demo` and `make test` need Python 3.11+, make and Node; all else they fetch themselves.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

VENV ?= .venv
PY := $(VENV)/bin/python
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first Python that really runs (a pyenv shim may exist and fail), is new enough and can make environments.
FIND_PYTHON := for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { command -v $$python; break; }; done

# $(call need,program,Debian package): through apt when we are root, else say what to install.
define need
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v $(1) >/dev/null || $(call install,$(2))
endef
define install
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1); \
	else echo "Missing here: $(1). Please install it (Debian: apt-get install $(1)) and run make again." >&2; exit 1; fi
endef

.PHONY: help
help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1|/' | column -t -s '|'

.PHONY: demo
demo: $(VENV)/.demo ## store a real folder and read it back: make demo DIR=some/folder
	$(PY) examples/demo.py $(if $(DIR),"$(DIR)")

.PHONY: test
test: $(VENV)/.dev servers ## every test, the README, the docs and the examples
	$(PY) -m pytest -n auto --maxprocesses 8 --dist loadscope $(ARGS)

.PHONY: servers
servers: node_modules/.ready ## the servers of the tests that are no Python packages: Azurite, sshd, vsftpd, Redis
	$(call need,sshd,openssh-server)
	$(call need,vsftpd,vsftpd)
	$(call need,redis-server,redis-server)

.PHONY: lint
lint: $(VENV)/.dev ## ruff: rules and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

.PHONY: types
types: $(VENV)/.dev ## mypy strict and pyright strict
	$(call need,node,nodejs)
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

.PHONY: docs
docs: $(VENV)/.dev ## the site, built strictly into site/
	$(PY) -m mkdocs build --strict --quiet

.PHONY: bare
bare: $(VENV)/.demo ## a fresh environment with nothing but `pip install .`
	$(PY) -m venv --clear $(VENV)-bare
	$(VENV)-bare/bin/python -m pip install --quiet .
	$(VENV)-bare/bin/python -m pip check
	$(VENV)-bare/bin/python -P -W error tests/bare_install.py

.PHONY: bench
bench: $(VENV)-bench/.ready ## the figures, in an environment with the rivals; not a test
	for file in benchmarks/[!_]*.py; do $(VENV)-bench/bin/python "$$file" || exit 1; done

.PHONY: clean
clean: ## everything that make made
	rm -rf $(VENV) $(VENV)-bare $(VENV)-bench node_modules .nox build dist site storage
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

# One environment, filled in two steps: the demo needs little, the tests all.
$(PY):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "No Python 3.11 or newer runs here."; ($(call install,python3 python3-venv)) || exit 1; python=$$($(FIND_PYTHON)); fi; \
	if [ -z "$$python" ]; then echo "Still none. Name one: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "$(VENV): $$python"; "$$python" -m venv --clear $(VENV)

$(VENV)/.demo: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --editable '.[magic]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --editable '.[dev,docs]'
	@touch $(VENV)/.demo $@

$(VENV)-bench/.ready: pyproject.toml | $(PY)
	$(PY) -m venv --clear $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --editable '.[bench]'
	@touch $@

node_modules/.ready: package.json package-lock.json
	$(call need,npm,npm)
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@
