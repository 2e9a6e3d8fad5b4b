# A thin front: meson and ninja do the work, scripts/ holds what is longer than a line.

BUILD   := build
PREFIX  ?= /usr/local
TARGET  ?= 127.0.0.1
PORTS   ?= -
ARGS    ?= --help
JOBS    ?= $(shell nproc)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(BUILD)/build.ninja ## build build/noctule (the default)
	@out=$$(ninja -C $(BUILD) -j $(JOBS) 2>&1) || { echo "$$out"; exit 1; }

$(BUILD)/build.ninja:
	@scripts/setup.sh --check build
	@echo "Building build/noctule"
	@out=$$(meson setup $(BUILD) -Dtests=disabled --prefix=$(PREFIX) 2>&1) || { echo "$$out"; exit 1; }

.PHONY: setup
setup: ## install what building and testing need, from Debian's packages
	@scripts/setup.sh build test

.PHONY: scan
scan: ## set up, build and scan: TARGET=127.0.0.1 PORTS=- (all) unless given
	@scripts/setup.sh build
	@$(MAKE) build
	@$(BUILD)/noctule $(TARGET) -p$(PORTS)

.PHONY: run
run: build ## build and run noctule with ARGS="..."
	@$(BUILD)/noctule $(ARGS)

.PHONY: lab
lab: ## a practice network in namespaces, safe to scan; cleans up when you leave it
	@scripts/setup.sh build lab
	@$(MAKE) build
	@scripts/lab.sh

.PHONY: test
test: ## set up, build in every way, run every test; ends with "N passed, N failed"
	@scripts/setup.sh build test
	@scripts/test.sh

.PHONY: check
check: ## the quick part of the tests: plain build, style, unit and fuzz tests
	@scripts/setup.sh build test
	@scripts/test.sh quick

.PHONY: sanitize
sanitize: ## the suite under address, undefined and thread sanitizers only
	@scripts/setup.sh build test
	@scripts/test.sh sanitize

.PHONY: bench
bench: ## measure speed and recall, beside the other scanners where they are installed
	@scripts/setup.sh build test bench
	@$(MAKE) $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=enabled
	@$(MAKE) build
	@bench/run $(BENCHMARKS)

.PHONY: microbench
microbench: ## nanoseconds that each stage of a probe and of a reply costs, on one core
	@scripts/setup.sh build test
	@$(MAKE) $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=enabled
	@bench/run stages

.PHONY: bench-accuracy
bench-accuracy: ## accuracy case by case beside the other scanners: bad paths, limits, firewalls (hours)
	@$(MAKE) bench BENCHMARKS=cases

.PHONY: install
install: $(BUILD)/build.ninja ## install under PREFIX=/usr/local (DESTDIR is honoured)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@$(MAKE) build
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild --quiet

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf build build-clang build-asan build-tsan build-logs
