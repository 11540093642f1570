# `make demo` and `make test` need Python 3.11 or later and a package index, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# What is installed has the hashes of requirements/*.lock. `make test LOCK=` takes what the index has.
LOCK ?= locked
# One worker more than cores, because many tests wait for a process or a socket. A worker that has
# nothing left takes from the others: the long tests may come last.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q

# Compiled once: the tests start a hundred processes, and each would compile LangChain again where
# PYTHONDONTWRITEBYTECODE is set.
export UV_COMPILE_BYTECODE = 1
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-fast fuzz mutants soak foreign litellm peers lock audit secrets audit-packages workflows build release-check sbom lint types coverage matrix lowest batch-proof upstream node record drift tables docs docs-check bench bench-compare bench-short bench-capacity bench-functions foreign-suites clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

# The invariants, with fifty times the examples of `make test`: any history, any argument, any hint;
# of the canary each place with each spelling, where `make test` tries one in six.
fuzz: $(VENV)/installed
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) tests \
		-k 'any_history or any_argument or any_option or agrees or round_trip or type_hints or any_damage or real_sockets or wrong_inputs or canary'

# Where LiteLLM cannot be installed, its tests are skipped, and the last line says so.
LITELLM_LOG := $(VENV)/litellm.log
test: $(VENV)/installed
	@rm -f $(LITELLM_LOG)
	@if $(MAKE) --no-print-directory litellm 2>$(LITELLM_LOG); then rm -f $(LITELLM_LOG); fi
	@echo $(PYTEST)
	@$(PYTEST); status=$$?; if [ -e $(LITELLM_LOG) ]; then \
		echo "Not tested: the LiteLLM proxy (tests/core/test_litellm.py). It could not be installed:" \
			"$$(grep -v '^make' $(LITELLM_LOG) | tr -s '[:space:]' ' ' | cut -c1-400)"; \
	fi; exit $$status

# What a change is tried with again and again: no test that starts a process or takes seconds.
test-fast: $(VENV)/installed
	$(PYTEST) -m 'not slow'

# The environment is made once, and again when what is installed changes. A lock is whole, so nothing
# is resolved (--no-deps); the build backend is locked too (--no-build-isolation).
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
LOCKED = --no-deps --require-hashes
$(VENV)/installed: pyproject.toml requirements/dev.lock requirements/installer.lock
	$(PYTHON) -m venv $(VENV)
	@$(if $(LOCK),{ $(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCKED) -r requirements/installer.lock \
		&& $(INSTALL) $(LOCKED) -r requirements/dev.lock \
		&& $(INSTALL) --no-deps --no-build-isolation --editable . ; } \
		|| { echo "The locked packages cannot be installed here: add 'LOCK=' to the command ('make test LOCK=') to install what the index has." >&2; exit 1; }, \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8,<1' \
		&& $(INSTALL) --editable '.[all]' --group dev)
	@touch $@

# Renews the locks, for every Python and platform. What is younger than a week waits: a malicious
# release is mostly found within days. Look at the diff before you commit it.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--exclude-newer '7 days' --override requirements/overrides.txt --custom-compile-command 'make lock'
lock: $(VENV)/installed
	$(COMPILE) pyproject.toml --extra all --group dev --output-file requirements/dev.lock
	$(COMPILE) pyproject.toml --extra all --constraint requirements/dev.lock --output-file requirements/runtime.lock
	$(COMPILE) --group bench --constraint requirements/dev.lock --output-file requirements/bench.lock
	$(COMPILE) pyproject.toml --extra all --group dev --group docs --constraint requirements/dev.lock --output-file requirements/docs.lock
	$(COMPILE) --group release --output-file requirements/release.lock
	$(COMPILE) --group installer --output-file requirements/installer.lock
	$(COMPILE) requirements/litellm.in --output-file requirements/litellm.lock
	$(COMPILE) requirements/peers.in pyproject.toml --extra all --output-file requirements/peers.lock

# What can be dangerous and was not written here: keys in the tree and its history, the workflows,
# known vulnerabilities of what is locked (this last needs the network).
audit: secrets workflows audit-packages

secrets: $(VENV)/installed
	$(BIN)/python scripts/secret_scan.py

workflows: .venv-release/installed
	.venv-release/bin/zizmor --offline --quiet .github

LOCKS := runtime dev bench docs litellm peers release installer
audit-packages: .venv-release/installed
	.venv-release/bin/pip-audit --strict --disable-pip --progress-spinner off $(LOCKS:%=-r requirements/%.lock)

# What is published: four distributions, each with an sdist and the wheel that is built from it.
# Their code stands at the top; distributions/hatch_build.py brings it. mimo-plugins is not among them.
build: .venv-release/installed
	rm -rf dist
	for name in mimo-core langchain-mimo llm-mimo pytest-mimo; do \
		.venv-release/bin/python -m build --no-isolation --outdir dist distributions/$$name || exit 1; \
	done
	.venv-release/bin/twine check --strict dist/*

# Before a release, by hand (minutes, and the package index): everything that was built is installed as
# users install it, into empty environments, and its quick start runs there. ONLY= takes one way.
release-check: build docs
	$(BIN)/python -m scripts.release_check $(if $(ONLY),--only '$(ONLY)')

# What a release depends on, with all extras, as the lock has it (CycloneDX).
sbom: .venv-release/installed
	mkdir -p dist
	sed "s/^dynamic = .*/version = \"$$($(BIN)/python -P -c 'from mimo_core._version import __version__ as v; print(v)')\"/" \
		pyproject.toml > dist/.pyproject.toml
	.venv-release/bin/python -W ignore -m cyclonedx_py requirements requirements/runtime.lock --pyproject dist/.pyproject.toml \
		--mc-type library --output-reproducible --validate --output-file dist/sbom.cdx.json; \
		status=$$?; rm -f dist/.pyproject.toml; exit $$status

.venv-release/installed: requirements/release.lock | $(VENV)/installed
	$(PYTHON) -m venv --without-pip .venv-release
	$(BIN)/uv pip sync --quiet --python .venv-release --require-hashes requirements/release.lock
	@touch $@

# One changed decision at a time in the pure modules; SAMPLE= (empty) tries all 3,400.
SAMPLE ?= 150
mutants: $(VENV)/installed
	$(BIN)/python scripts/mutants.py $(if $(SAMPLE),--sample $(SAMPLE))

# An hour of 500 streams, one in twenty broken: nothing may grow or be lost.
soak: $(VENV)/installed
	$(BIN)/python scripts/soak.py

# Servers that nobody here wrote: llama.cpp's own (root; a minute the first time), the HTTP layers of
# vLLM and SGLang without their engines (3.5 GB). What cannot be had is skipped, with the reason.
foreign: $(VENV)/installed
	-$(MAKE) .venv-foreign/installed
	MIMO_FOREIGN=1 $(BIN)/python -m pytest -n 2 -q tests/foreign

# pip, not uv: it takes a CPU build of torch from find-links where there is one.
.venv-foreign/installed: scripts/foreign/engineless/requirements.txt
	$(PYTHON) -m venv .venv-foreign
	.venv-foreign/bin/pip install --quiet --disable-pip-version-check -r $<
	.venv-foreign/bin/pip install --quiet --disable-pip-version-check --no-deps vllm==0.33.0 sglang==0.5.23
	@touch $@

# LiteLLM pins other versions than the hosts do: an environment of its own, whole or not there.
litellm: .venv-litellm/installed

.venv-litellm/installed: requirements/litellm.lock | $(VENV)/installed
	@$(PYTHON) -m venv --without-pip .venv-litellm
	@$(BIN)/uv pip $(if $(LOCK),sync --require-hashes requirements/litellm.lock,install -r requirements/litellm.in) \
		--quiet --python .venv-litellm || { rm -rf .venv-litellm; exit 1; }
	@touch $@

# What works on MiMo with other clients, run against the emulator and compared with docs/peers.json.
# After `make lock`, or where a client behaves otherwise now: `make peers WRITE=1`, then look at the diff.
peers: .venv-peers/installed
	MIMO_PEERS=$(if $(WRITE),write,1) .venv-peers/bin/python -m pytest -q -W ignore tests/peers
	$(if $(WRITE),.venv-peers/bin/python -m scripts.peer_table --write)

.venv-peers/installed: requirements/peers.lock | $(VENV)/installed
	$(PYTHON) -m venv --without-pip .venv-peers
	$(BIN)/uv pip sync --quiet --python .venv-peers --require-hashes requirements/peers.lock
	$(BIN)/uv pip install --quiet --python .venv-peers --no-deps --no-build-isolation --editable .
	@touch $@

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The files that mypy checks are in pyproject.toml; pyright sees the programs of README and docs/ as a reader's editor does.
types: $(VENV)/installed
	$(BIN)/mypy
	MIMO_TYPES=1 $(BIN)/python -m pytest -q tests/test_readme_types.py

coverage: $(VENV)/installed
	$(PYTEST) --cov --cov-report=term
	$(BIN)/coverage report --include='mimo_core/*' --fail-under=95

# All tests on each Python of the classifiers. What this machine lacks comes from Debian (root,
# debootstrap), into a folder of the user's cache. MATRIX='3.15 --workers 2' takes one of them.
matrix: $(VENV)/installed
	$(BIN)/python -m scripts.matrix $(MATRIX)

# The same with the lowest version of everything that pyproject.toml names.
lowest: $(VENV)/installed
	$(BIN)/python -m scripts.matrix --lowest $(MATRIX)

# 10,000 prompts through batches by the transport, LangChain and llm, each killed five times at random
# (a minute or two); nothing may be lost or paid for twice.
batch-proof: $(VENV)/installed
	MIMO_PROOF=1 $(BIN)/python -m pytest -q tests/llm/test_batch_processes.py
	$(BIN)/python -m scripts.batch_proof $(PROOF)

# What is prepared for other projects (docs/upstream): each patch still fits, and does what it says.
upstream: $(VENV)/installed
	MIMO_UPSTREAM=1 $(PYTEST) tests/test_upstream_patches.py

# Clients of another language (node 20, npm): the AI SDK, openai's and Anthropic's packages.
node: $(VENV)/installed
	MIMO_NODE=1 $(BIN)/python -m pytest -q tests/testing/test_fake_node.py

# With MIMO_API_KEY: against the service (provenance live). Without: against the emulator.
record: $(VENV)/installed
	$(BIN)/python scripts/record_cassettes.py $(if $(MIMO_API_KEY),--live)

# Needs MIMO_API_KEY: how far the emulator is from the service.
drift: $(VENV)/installed
	$(BIN)/python scripts/drift.py

# What is generated: tables of options, models, servers (docs/), of costs (README), of cassettes.
tables: $(VENV)/installed
	$(BIN)/python scripts/readme_tables.py --write
	$(BIN)/python scripts/cassette_table.py

# Three full runs take about 28 minutes (by estimate) and want a quiet machine; bench-short only proves that they run.
bench: $(VENV)/bench-installed
	$(BIN)/python benchmarks/run.py --runs 3

# Two trees of this project in turns, against the same server: BASE is a commit.
BASE ?= HEAD~1
bench-compare: $(VENV)/bench-installed
	$(BIN)/python benchmarks/compare.py $(BASE)

bench-short: $(VENV)/bench-installed
	$(BIN)/python benchmarks/run.py --short

# How many streams one core carries, as a plot: ten minutes of a quiet machine.
bench-capacity: $(VENV)/bench-installed
	$(BIN)/python benchmarks/capacity.py

# Which functions the time of the rows goes to whose floor is missed.
bench-functions: $(VENV)/bench-installed
	$(BIN)/python benchmarks/functions.py

# httpcore2's and httpx2's own tests, with stock network backends and ours. Where neither an sdist nor
# the repository has them, they are skipped; SOURCES= names a checkout instead.
foreign-suites: .venv-foreign-suites/installed
	.venv-foreign-suites/bin/python -P scripts/foreign_suites.py $(if $(SOURCES),--sources $(SOURCES))

.venv-foreign-suites/installed: scripts/foreign_suites_requirements.txt requirements/runtime.lock | $(VENV)/installed
	$(PYTHON) -m venv .venv-foreign-suites
	$(BIN)/uv pip install --quiet --python .venv-foreign-suites/bin/python -r $< --constraint requirements/runtime.lock httpx2 httpcore2 pydantic
	@touch $@

$(VENV)/bench-installed: $(VENV)/installed requirements/bench.lock
	$(INSTALL) $(if $(LOCK),$(LOCKED) -r requirements/bench.lock,--group bench)
	@touch $@

# The site, offline, into site/; before it the pictures of a terminal, where a run shows something else
# now. --strict: a link or an anchor that leads nowhere ends it.
docs: .venv-docs/installed
	.venv-docs/bin/python -m scripts.site.terminal --write
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --strict --quiet

# The site in headless Chromium, the shell commands of its pages, and the examples that need more than
# the other tests have (FastAPI, MCP).
docs-check: docs
	MIMO_DOCS=1 .venv-docs/bin/python -m pytest -n 2 -q tests/test_readme.py tests/test_docs.py tests/test_docs_site.py tests/test_examples.py tests/test_docs_pictures.py

.venv-docs/installed: requirements/docs.lock | $(VENV)/installed
	$(PYTHON) -m venv --without-pip .venv-docs
	$(BIN)/uv pip sync --quiet --python .venv-docs --require-hashes requirements/docs.lock
	$(BIN)/uv pip install --quiet --python .venv-docs --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf site .venv-docs $(VENV) .venv-litellm .venv-peers .venv-foreign .venv-foreign-suites .venv-release dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
