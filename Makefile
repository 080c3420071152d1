# `make demo` and `make test` set up .venv by themselves; torch is installed first and pinned, since an open range
# would bring several GB of CUDA packages.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all hosts frameworks versions docs linkcheck check clean
demo: .venv/ready
	$(BIN)/annealing compare --out demo

test: .venv/ready
	$(BIN)/pytest -n logical

test-all: .venv/ready
	$(BIN)/pytest -n logical -m "not slow"

# The tests inside real training frameworks, which have an environment of their own: they bring many packages.
hosts: .venv-hosts/ready
	.venv-hosts/bin/pytest -m slow tests/test_hosts_*.py tests/test_translation.py tests/test_same_curves.py

.venv-hosts/ready: tests/requirements-hosts.txt tests/requirements-hosts-alone.txt
	test -x .venv-hosts/bin/python || $(PYTHON) -m venv .venv-hosts
	.venv-hosts/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
	.venv-hosts/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -r $< pytest -e '.[torch,audit]'
	.venv-hosts/bin/python -m pip install -q --disable-pip-version-check --no-deps -r tests/requirements-hosts-alone.txt
	touch $@

# The tests of Keras on its three backends, and of the translations to it and to fvcore.
frameworks: .venv-frameworks/ready
	KERAS_BACKEND=torch .venv-frameworks/bin/pytest -m slow tests/test_keras.py tests/test_translation.py tests/test_same_curves.py
	KERAS_BACKEND=jax .venv-frameworks/bin/pytest -m slow tests/test_keras.py
	KERAS_BACKEND=tensorflow .venv-frameworks/bin/pytest -m slow tests/test_keras.py

.venv-frameworks/ready: tests/requirements-frameworks.txt
	test -x .venv-frameworks/bin/python || $(PYTHON) -m venv .venv-frameworks
	.venv-frameworks/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
	.venv-frameworks/bin/python -m pip install -q --disable-pip-version-check -r $< -e .
	touch $@

# The core and PyTorch tests on older and newer versions, each in an environment of its own; the result is in the docs.
versions:
	$(PYTHON) benchmarks/versions.py --write

docs: .venv/ready
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# The links to other sites, which need the network and are no part of the tests; those within the docs are checked above.
linkcheck: .venv/ready
	$(BIN)/python -m sphinx -q -b linkcheck -D nb_execution_mode=off docs docs/_build/linkcheck

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-hosts .venv-frameworks .venv-versions demo build dist .mypy_cache .pytest_cache .ruff_cache
