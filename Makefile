# make demo: sets up what it needs and shows the story.   make test: sets up the rest, tests it.
# make check: lint, types, unit tests, for the inner loop.   make test-all: campaigns besides.
PYTHON ?= python3
VENV := .venv
BUILD_PACKAGES := gcc libc6-dev musl-tools python3-venv
RUNTIME_PACKAGES := runc crun busybox-static
TEST_PACKAGES := docker.io docker-cli docker-buildx docker-compose tini containerd podman conmon catatonit \
	criu strace uidmap procps chromium fonts-dejavu-core mandoc jq libseccomp2 libseccomp-dev linux-libc-dev libsystemd-shared systemd \
	mmdebstrap curl g++ bubblewrap qemu-user libc6-arm64-cross libssl3t64 docker-registry skopeo cosign oras kustomize
DEB_PACKAGES := debhelper dh-python pybuild-plugin-pyproject python3-all python3-scikit-build-core cmake \
	ninja-build musl-tools lintian mmdebstrap python3-click python3-jinja2 python3-msgspec python3-rich \
	python3-tomlkit python3-yaml
ARM64_PACKAGES := qemu-system-arm
KUBERNETES_PACKAGES := openssl iptables iproute2
HOSTS_PACKAGES := qemu-system-x86 kmod ubuntu-archive-keyring
SOURCES := pyproject.toml $(wildcard native/*.[ch] native/*/*.[ch]) native/CMakeLists.txt
STAMP := $(VENV)/.built
DEV_STAMP := $(VENV)/.dev
WHEEL_STAMP := $(VENV)/.wheels
FUZZ_SECONDS ?= 300

.PHONY: setup demo test say-how-long check man docs lint bench bpf clean test-packages release test-release wheels test-wheels deb test-deb test-arm64 \
	test-arm64-programs test-arm64-tighten test-arm64-moments test-libraries test-newer test-kubernetes test-hosts test-all scenes sweep moments traffic soak soak-probes fuzz

setup: $(STAMP)
	@:

# Quick when there is nothing to do: rebuilt when the native sources or the metadata change.
$(STAMP): $(SOURCES)
	@echo "setting up $(VENV): packages, Python's environment, the latch (under a minute, once)" >&2
	@tools/need $(BUILD_PACKAGES) $(RUNTIME_PACKAGES)
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "building the latch" >&2
	@$(VENV)/bin/pip install -q --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): $(STAMP)
	@echo "installing what the tests need into $(VENV)" >&2
	@$(VENV)/bin/pip install -q --disable-pip-version-check \
		$$($(VENV)/bin/python tools/dev-requirements.py)
	@touch $@

test-packages:
	@tools/need $(TEST_PACKAGES)

demo: setup
	@$(VENV)/bin/seclatch demo

# T=PATH: one folder, file or test. One worker has the engines (tests/distribution.py).
T :=
WORKERS := 2

test: say-how-long test-packages $(DEV_STAMP)
	@# Thousands of commands are run; Python does not keep what it compiled where PYTHONDONTWRITEBYTECODE is set.
	@$(VENV)/bin/python -m compileall -q src
	tools/reachable $(VENV)/bin/pytest -q -n $(WORKERS) --dist loadscope $(PYTEST_ARGS) $(T)

say-how-long:
	@echo "$(if $(T),the tests in $(T),all tests: about 20 minutes on 2 cores; T=PATH runs a part of them, make check the quick ones)" >&2

# Property tests with few examples; `make test` tries them with all.
check: lint
	SECLATCH_EXAMPLES=few $(VENV)/bin/pytest -q -n 2 --dist loadscope tests/unit

# The recorder's kernel programs: after a change in native/bpf, to be checked in with it.
bpf: $(WHEEL_STAMP)
	$(VENV)/bin/python -m tools.bpf_objects

# One for each platform, into dist/.
wheels: $(WHEEL_STAMP)
	$(VENV)/bin/python tools/wheels.py $(PLATFORMS)

test-wheels: $(WHEEL_STAMP)
	@tools/need $(RUNTIME_PACKAGES) qemu-user mmdebstrap
	@rm -rf build/wheels
	$(VENV)/bin/python tools/wheels.py --output build/wheels $(PLATFORMS)
	SECLATCH_WHEELS=$(CURDIR)/build/wheels $(VENV)/bin/pytest -q tests/wheels

# sdist, wheels, Debian package, SBOM, checksums, into dist/; built twice, equal to the byte.
release: $(WHEEL_STAMP)
	@tools/need $(DEB_PACKAGES)
	$(VENV)/bin/python -m tools.release

# The same of a tree that is no release: is it built to the same bytes twice?
test-release: $(WHEEL_STAMP)
	@tools/need $(DEB_PACKAGES)
	$(VENV)/bin/python -m tools.release --rehearse --output build/release

# The packages of Debian 13 and 12, into dist/.
deb: $(WHEEL_STAMP)
	@tools/need $(DEB_PACKAGES)
	/usr/bin/python3 tools/deb.py
	$(VENV)/bin/python -m tools.deb12

# Builds them twice, takes them from installation to purge in a bare Debian 13 and 12, and builds the
# image of the node's agent from one.
test-deb: test-packages $(WHEEL_STAMP)
	@tools/need $(DEB_PACKAGES) buildah
	@rm -rf build/deb
	$(VENV)/bin/python tools/deb.py --output build/deb
	$(VENV)/bin/python -m tools.deb12 --output build/deb
	SECLATCH_DEB=$(CURDIR)/build/deb $(VENV)/bin/pytest -q tests/deb

$(WHEEL_STAMP): $(DEV_STAMP)
	@$(VENV)/bin/pip install -q --disable-pip-version-check \
		$$($(VENV)/bin/python tools/dev-requirements.py wheels)
	@touch $@

# Debian's arm64 in QEMU, with and without SVE, with the wheel of this tree in it (docs/arm64.md).
test-arm64: $(WHEEL_STAMP)
	@tools/need $(ARM64_PACKAGES)
	$(VENV)/bin/python -m tests.arm64 $(ARM64_ARGS)

# There, what takes longer: the tracer of a tightening killed, a user's own containers; and programs in every
# kind of call at 200 random moments.
test-arm64-tighten test-arm64-moments: test-arm64-%: $(WHEEL_STAMP)
	@tools/need $(ARM64_PACKAGES)
	$(VENV)/bin/python -m tests.arm64 --run $* --seconds 14400 $(ARM64_ARGS)

# The latch's tests with the runtimes and engines of a newer Debian suite, in a root directory of
# their own. NEWER_ARGS="--run all --table docs/latch.md" writes the page's table.
test-newer: test-packages $(DEV_STAMP)
	$(VENV)/bin/python -m tests.newer $(NEWER_ARGS)

# A node of a real cluster: docs/kubernetes.md, pods that fail, restarts. Builds Kubernetes from
# Debian's source package, once (about ten minutes). KUBERNETES_ARGS="-k churn" runs a part.
test-kubernetes: test-packages $(DEV_STAMP)
	@tools/need $(KUBERNETES_PACKAGES)
	$(VENV)/bin/python -m tests.kubernetes $(KUBERNETES_ARGS)

# The commands on Debian's kernels, oldest to newest, under AppArmor, Yama, lockdown, both cgroups,
# in QEMU. HOSTS_ARGS="--page docs/hosts.md" writes the page's tables.
test-hosts: test-packages $(DEV_STAMP)
	@tools/need $(HOSTS_PACKAGES)
	$(VENV)/bin/python -m tests.hosts $(HOSTS_ARGS)

# Kills the latch's tracer at every point of every kind of start; docs/sweep.md has the counts.
sweep: $(DEV_STAMP)
	@tools/need $(RUNTIME_PACKAGES)
	$(VENV)/bin/python -m tests.sweep $(SWEEP_ARGS)

# Real programs that fail: is each scene what it claims, and what does `seclatch explain` say of it?
# Downloads a Debian root directory (3 GB) into build/, once. docs/explaining.md has tables. Of the
# blind parts it prints no answers.
scenes: test-packages $(DEV_STAMP)
	$(VENV)/bin/python -m tests.explain.scenes
	$(VENV)/bin/python -m bench explain --corpus dev
	$(VENV)/bin/python -m bench explain --corpus blind
	$(VENV)/bin/python -m bench explain --corpus second
	$(VENV)/bin/python -m bench explain --corpus second-blind
	$(VENV)/bin/python -m bench explain --corpus third
	$(VENV)/bin/python -m bench explain --corpus third-blind
	$(VENV)/bin/python -m bench explain --corpus fourth-blind

# Binds programs in every kind of system call, each at 200 random moments; docs/tighten-results.md has
# the counts. MOMENTS_ARGS="--only epoll" runs a part.
moments: $(DEV_STAMP)
	$(VENV)/bin/python -m tests.tighten.moments $(MOMENTS_ARGS)

# Tightens redis, nginx, postgres, and servers in Python, node, Go and Java while clients make requests.
# Downloads their packages (200 MB). TRAFFIC_ARGS="--only node" runs a part.
traffic: test-packages $(DEV_STAMP)
	$(VENV)/bin/python -m tests.tighten.real_servers $(TRAFFIC_ARGS)

# 10,000 latched starts, 40 at a time; then looks for what they have left.
soak: $(DEV_STAMP)
	@tools/need $(RUNTIME_PACKAGES)
	$(VENV)/bin/python -m tests.soak $(SOAK_ARGS)

# 100,000 short processes of exec probes through one recording, whose memory and file must not grow.
soak-probes: $(DEV_STAMP)
	@tools/need $(RUNTIME_PACKAGES)
	$(VENV)/bin/python -m tests.soak.probes $(SOAK_ARGS)

# Coverage-guided fuzzing of the decoders; tests replay the corpora (tests/native/test_corpora.py).
fuzz: $(DEV_STAMP)
	@$(VENV)/bin/pip install -q --disable-pip-version-check \
		$$($(VENV)/bin/python tools/dev-requirements.py fuzz)
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# By hand: every campaign, besides what CI runs. Takes some hours; docs/sweep.md and
# docs/hosts.md have tables of the last runs.
test-all: test lint test-wheels test-deb test-release test-arm64 test-newer test-kubernetes test-hosts test-libraries \
	test-arm64-programs test-arm64-tighten test-arm64-moments scenes sweep moments traffic soak soak-probes fuzz

# What is known of C libraries and OpenSSL, against those of older and newer Debian suites.
test-libraries: test-packages $(DEV_STAMP)
	SECLATCH_LIBRARIES=1 $(VENV)/bin/pytest -q tests/libraries

# There, nginx, redis and python3 under profiles ported from recordings made here.
test-arm64-programs: $(WHEEL_STAMP)
	@tools/need $(BUILD_PACKAGES) $(RUNTIME_PACKAGES) $(ARM64_PACKAGES)
	$(VENV)/bin/python -m tests.arm64 --run programs $(ARM64_ARGS)

# The pages of docs/man are what --help says, and docs/*.md show what was really printed.
man: $(DEV_STAMP)
	$(VENV)/bin/python tools/man.py

docs: test-packages man
	$(VENV)/bin/python -m tools.docs

lint: $(DEV_STAMP)
	$(VENV)/bin/codespell
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/clang-format --dry-run -Werror native/*.[ch] native/apply/*.[ch] native/tighten/*.[ch]
	tools/analyze native/*.c native/apply/*.c native/tighten/*.c

bench: test-packages $(DEV_STAMP)
	$(VENV)/bin/python -m bench

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
