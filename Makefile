# The two commands of the README are `make demo` and `make test`; each installs what it needs.
PY := .venv/bin
ARGS ?=
# The fuzzer itself grows by 0.2 MB for each sound it tries, so its limit of memory is off.
FUZZ ?= at fsk dtmf whozz voice
FUZZ_S ?= 600

.PHONY: help demo test test-project test-bench soak security check bench install lock docs
help:
	@echo "make demo [ARGS=...]   the box running, with a simulated street outside (--once --calls 24: a checked run)"
	@echo "make test [ARGS=...]   the tests"
	@echo "make soak [ARGS=...]   the long tests, minutes each"
	@echo "make security          schemathesis, sqlmap and hostile text against every route of the page; first against one with holes"
	@echo "make fuzz              ten minutes of coverage-guided fuzzing of each reader: AT, caller IDs, monitor, voice modem"
	@echo "make check             formatting, types, import contracts"
	@echo "make bench             the measurements, printed beside their goals"
	@echo "make hil               the suite of hil-tests/ against the street outside"
	@echo "make vm-test           the same on a real kernel with simulated hardware (built once, 10 to 30 minutes)"
	@echo "make vm-watchdogs      hang the recorder, then systemd, on that kernel, and see both started again"
	@echo "make power-cuts        cut the power of a recording box at any of its writes, and count what is lost"
	@echo "make torture           1000 calls while things go wrong, and one HTML report (ARGS='--calls 1000 --report soak.html')"
	@echo "make screenshots       every page of the box as pictures, into out/screenshots"
	@echo "make vendor            fetch the page's vendored assets again (needs Node)"
	@echo "make deb               the Debian package for arm64, in out/"
	@echo "make image             the image for an SD card and the signed update, in out/ (as root; docs/image.md)"
	@echo "make image-test        the image in an emulator: page, call, update, roll-back, 20 stops (hours); image-torture: 100"
	@echo "make install           install on this Raspberry Pi or Debian machine and keep it running"
	@echo "make lock              renew the pinned requirements"

demo:
	@setup/prepare.sh demo
	@$(PY)/offhook demo $(ARGS)

# Most tests wait for something in real time: twice as many at once as the smallest build machine has cores.
test-project:
	@setup/prepare.sh test
	@$(PY)/pytest -n 4 --dist worksteal $(ARGS)

# A box and its street from outside, alone on the machine: the quick part of `make hil`.
test-bench:
	@setup/prepare.sh test
	@$(HIL) --bench sim -m quick

# Who asks for some tests gets those alone.
test: test-project $(if $(ARGS),,test-bench)

soak:
	@setup/prepare.sh test
	@$(PY)/pytest -m soak $(ARGS)

# Others' tools against the page. -s: how much each of them tried is printed.
security:
	@setup/prepare.sh security
	@$(PY)/pytest -m security -s tests/security $(ARGS)

fuzz:
	@setup/prepare.sh test
	@for reader in $(FUZZ); do \
		echo "== $$reader"; \
		$(PY)/python -m tests.fuzz.$$reader -max_total_time=$(FUZZ_S) -rss_limit_mb=0 tests/fuzz/corpus/$$reader || exit 1; \
	done

check:
	@setup/prepare.sh test
	$(PY)/ruff format --check .
	$(PY)/ruff check .
	$(PY)/mypy
	$(PY)/lint-imports

bench:
	@setup/prepare.sh test
	@for bench in $$(grep -l '^if __name__' bench/*.py | grep -v _child); do \
		name=$$(basename $$bench .py); echo "== $$name"; $(PY)/python -m bench.$$name || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "goals not met:$$failed"; exit 1; }

# Every page light, dark, on a phone and in Chinese, into out/screenshots.
.PHONY: screenshots
screenshots:
	@setup/prepare.sh test
	$(PY)/python -m tests.webui.screenshots out/screenshots $(ARGS)

# The files of others that the page serves; needs Node. The result is committed.
.PHONY: vendor
vendor:
	@setup/prepare.sh test
	$(PY)/python -m webui.vendoring.build

install:
	@setup/prepare.sh demo
	@systemd/install.sh

docs:
	$(PY)/python -m firmware.state_diagram > docs/call-machine.md

# uv writes hashes for every platform and no download address.
LOCK := $(PY)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate -q
lock:
	@setup/prepare.sh test
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --extra cloud -o requirements/cloud.txt
	$(LOCK) pyproject.toml --extra dev -o requirements/dev.txt
	printf 'setuptools\nwheel\n' | $(LOCK) - -o requirements/build.txt

# --- the suite of hil-tests/ on a bench, and the test kernel (docs/kernel-bench.md) ---
.PHONY: hil vm-test vm-watchdogs power-cuts torture
BENCH ?= sim
CUTS ?= 20
HIL := $(PY)/pytest -c hil-tests/pytest.ini --rootdir hil-tests hil-tests/suite
hil:
	@setup/prepare.sh test
	$(HIL) --bench $(BENCH) $(ARGS)

vm-test:
	@setup/prepare.sh vm
	$(PY)/python hil-tests/kernel/vm.py --deadline 1500 -- $(HIL) --bench kernel $(ARGS)

# The real units under a real systemd on the test kernel: readiness, and both watchdogs.
vm-watchdogs:
	@setup/prepare.sh vm
	$(PY)/python hil-tests/kernel/watchdogs.py

torture:
	@setup/prepare.sh test
	$(PY)/python hil-tests/soak.py $(ARGS)

power-cuts:
	@setup/prepare.sh vm
	$(PY)/python hil-tests/kernel/power_cut.py --cuts $(CUTS)

# --- the image for an SD card (docs/image.md) ---
.PHONY: deb image image-test image-ci image-torture
IMAGE_TEST := $(PY)/pytest -c image-build/test/pytest.ini --rootdir image-build/test
deb:
	@setup/prepare.sh image
	@image-build/deb/build.sh out
	lintian --fail-on error,warning out/offhook_*_arm64.deb

image:
	@setup/prepare.sh image
	@image-build/build.sh out

image-test: image
	$(IMAGE_TEST) image-build/test $(ARGS)

image-ci: image
	$(IMAGE_TEST) -m ci image-build/test $(ARGS)

image-torture: image
	OFFHOOK_STOPS=100 $(IMAGE_TEST) -m stops image-build/test $(ARGS)
