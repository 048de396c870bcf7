# make demo: sets up what it needs and shows the story.   make test: sets up the rest, tests it.
PYTHON ?= python3
VENV := .venv
BUILD_PACKAGES := gcc libc6-dev musl-tools python3-venv
RUNTIME_PACKAGES := runc crun busybox-static
TEST_PACKAGES := docker.io docker-cli tini containerd podman conmon catatonit \
	criu strace uidmap procps libseccomp2 libseccomp-dev linux-libc-dev libsystemd-shared systemd
SOURCES := pyproject.toml $(wildcard native/*.c native/*.h) native/CMakeLists.txt
STAMP := $(VENV)/.built
DEV_STAMP := $(VENV)/.dev

.PHONY: setup demo test lint bench clean test-packages

setup: $(STAMP)
	@:

# Quick when there is nothing to do: rebuilt when the native sources or the metadata change.
$(STAMP): $(SOURCES)
	@tools/need $(BUILD_PACKAGES) $(RUNTIME_PACKAGES)
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): $(STAMP)
	@$(VENV)/bin/pip install -q --disable-pip-version-check \
		$$($(VENV)/bin/python tools/dev-requirements.py)
	@touch $@

test-packages:
	@tools/need $(TEST_PACKAGES)

demo: setup
	@demo/run

test: test-packages $(DEV_STAMP)
	$(VENV)/bin/pytest -q $(PYTEST_ARGS)

lint: $(DEV_STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: test-packages $(DEV_STAMP)
	$(VENV)/bin/python -m bench

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
