# `make demo` and `make test` need Python 3.11 or later and a package index, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A worker that has nothing left takes from the other: the long tests may come last.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal -q

# Compiled once: the tests start a hundred processes, and each would compile LangChain again where
# PYTHONDONTWRITEBYTECODE is set.
export UV_COMPILE_BYTECODE = 1
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-fast fuzz mutants soak foreign litellm lint types coverage test-core-1.8 record drift tables bench bench-compare bench-short clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

# The invariants, with thirty times the examples of `make test`: any history, any argument, any hint.
fuzz: $(VENV)/installed
	HYPOTHESIS_PROFILE=fuzz $(PYTEST) tests \
		-k 'any_history or any_argument or any_option or agrees or round_trip or type_hints or any_damage or real_sockets or wrong_inputs'

# A machine whose index lacks LiteLLM skips the tests against it, with a reason.
test: $(VENV)/installed
	-$(MAKE) litellm
	$(PYTEST)

# What a change is tried with again and again: no test that starts a process or takes seconds.
test-fast: $(VENV)/installed
	$(PYTEST) -m 'not slow'

# The environment is made once, and again when what is installed changes.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[all]' --group dev
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

# LiteLLM pins other versions than the hosts do: an environment of its own.
litellm: .venv-litellm/installed

.venv-litellm/installed:
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'
	.venv-litellm/bin/uv pip install --quiet --python .venv-litellm/bin/python 'litellm[proxy]>=1.106,<2'
	@touch $@

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The files that mypy checks are in pyproject.toml; pyright sees the README as a reader's editor does.
types: $(VENV)/installed
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_readme_types.py

coverage: $(VENV)/installed
	$(PYTEST) --cov --cov-report=term
	$(BIN)/coverage report --include='mimo_core/*' --fail-under=95

# langchain-core 1.8 wants a newer certifi than every index has: hence the override.
test-core-1.8:
	$(PYTHON) -m venv .venv-1.8
	.venv-1.8/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'
	echo 'certifi>=2026.10.18' > .venv-1.8/override.txt
	.venv-1.8/bin/uv pip install --quiet --python .venv-1.8/bin/python --override .venv-1.8/override.txt \
		'langchain-core==1.8.1' 'langchain==1.5.0' --editable '.[all]' --group dev
	.venv-1.8/bin/python -m pytest -n auto -q tests/langchain

# With MIMO_API_KEY: against the service (provenance live). Without: against the emulator.
record: $(VENV)/installed
	$(BIN)/python scripts/record_cassettes.py $(if $(MIMO_API_KEY),--live)

# Needs MIMO_API_KEY: how far the emulator is from the service.
drift: $(VENV)/installed
	$(BIN)/python scripts/drift.py

# What is generated from the code: option tables in the README, the table of cassettes.
tables: $(VENV)/installed
	$(BIN)/python scripts/readme_tables.py --write
	$(BIN)/python scripts/cassette_table.py

# Three full runs take 25 minutes and want a quiet machine; bench-short only proves that they run.
bench: $(VENV)/bench-installed
	$(BIN)/python benchmarks/run.py --runs 3

# Two trees of this project in turns, against the same server: BASE is a commit.
BASE ?= HEAD~1
bench-compare: $(VENV)/bench-installed
	$(BIN)/python benchmarks/compare.py $(BASE)

bench-short: $(VENV)/bench-installed
	$(BIN)/python benchmarks/run.py --short

$(VENV)/bench-installed: $(VENV)/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group bench
	@touch $@

clean:
	rm -rf $(VENV) .venv-1.8 .venv-litellm .venv-foreign .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
