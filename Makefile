# pithings: make help lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export CGO_ENABLED ?= 0

# A build is told its version; a work tree that differs from its commit says so.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The version of a release is one that its maker chose.
RELEASE := $(if $(filter file,$(origin VERSION)),,$(VERSION))
# A folder of packages of earlier versions, for the apt source.
EARLIER ?=
# And when its source was committed, not when it is built: no clock is right that
# reads earlier, and the same source makes the same binaries. A source without git
# is told by https://reproducible-builds.org/specs/source-date-epoch/.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.built=$(SOURCE_DATE_EPOCH)
# The flags of every build, with their reasons, are in one file; tests and benchmarks read it too.
BUILD   := go build $(shell grep '^-' cmd/pithings/build.flags) -ldflags '$(LDFLAGS)'
DIST    := dist
TARGETS := linux/arm/6 linux/arm/7 linux/arm64 linux/amd64 darwin/arm64 windows/amd64

# Seconds that all fuzz targets share. CI takes longer than a desk.
FUZZBUDGET ?= $(if $(CI),250,120)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build, then run the four simulated things, their flow and a broker here
	@echo "building pithings; the first time that fetches its modules and takes a minute or two"
	@$(BUILD) -v -o bin/pithings ./cmd/pithings
	@echo "built bin/pithings $(VERSION); Ctrl-C ends it"
	@exec bin/pithings run --mock

.PHONY: build
build: ## build bin/pithings for this machine
	$(BUILD) -o bin/pithings ./cmd/pithings

.PHONY: build-all
build-all: ## build the static binaries for every system into dist/, and the licences that go with them
	@mkdir -p "$(DIST)" && gunzip -c cmd/pithings/internal/notices/notices.txt.gz >"$(DIST)/LICENSES.txt"
	@set -e; for t in $(TARGETS); do IFS=/ read -r os arch arm <<<"$$t"; \
	  out="$(DIST)/pithings-$$os-$$arch$${arm:+v$$arm}"; [ $$os = windows ] && out=$$out.exe; \
	  GOOS=$$os GOARCH=$$arch GOARM=$$arm $(BUILD) -o "$$out" ./cmd/pithings; \
	  printf '%10d bytes  %s\n' "$$(wc -c <"$$out")" "$$out"; done

.PHONY: release
release: ## all that is published of VERSION=1.2.3 into dist/ (docs/releasing.md)
	@echo "building the program that makes releases; the first time that fetches its modules"
	@go -C deploy/release run . --version '$(RELEASE)' --source '$(CURDIR)' --dist '$(DIST)' --earlier '$(EARLIER)'

.PHONY: test-packages
test-packages: ## make release and all that it makes: lintian, apt, gpgv, licences, the same bytes; installs it in a Debian
	@$(MAKE) -s release VERSION=0.0.0-test
	@test/beside "go -C deploy/release test -count=1 -timeout 30m ./..." "go test -count=1 -tags packages -timeout 30m ./test/packages/..."

# Four packages at a time: most tests wait most of the time.
.PHONY: check
check: ## the quick loop: format, vet, all tests that need only Go, long ones in their short form
	@test/format
	go vet -tags system,emulated,faults,packages ./...
	go test -short -p 4 ./...

.PHONY: lint
lint: bin/staticcheck ## staticcheck on all systems that we build for, tests of every kind included
	bin/staticcheck -tags system,emulated,faults,packages ./...
	GOOS=darwin bin/staticcheck -tags system,emulated,faults,packages ./...
	GOOS=windows bin/staticcheck -tags system,emulated,faults,packages ./...
	GOARCH=arm bin/staticcheck -tags system,emulated,faults,packages ./...
	@set -e; for m in deploy/release dashboard/build test/browser; do (cd $$m && $(CURDIR)/bin/staticcheck ./...); done

bin/staticcheck: Makefile
	GOBIN=$(CURDIR)/bin go install $(STATICCHECK)
	@touch $@

.PHONY: test
test: ## everything: installs what it lacks if it may, says what it could not run
	@test/run

.PHONY: test-race
test-race: ## all Go tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

.PHONY: test-fuzz
test-fuzz: ## every fuzz target, within FUZZBUDGET seconds in all (120; 250 in CI)
	@test/fuzz $(FUZZBUDGET)

.PHONY: test-cross
test-cross: ## drivers, camera, pictures, display, gateway and scripts on an emulated ARMv6 and ARM64 processor
	@test/cross

.PHONY: test-system
test-system: ## the built binary against a real mosquitto, djpeg and curl
	go test -count=1 -tags system -timeout 30m -parallel 6 ./test/system/... ./test/mosquitto

.PHONY: test-browser
test-browser: ## the page in a real browser (Debian's chromium)
	go -C test/browser test -count=1 -timeout 15m ./...
	go -C dashboard/build test -count=1 ./...

.PHONY: page
page: ## make the files of the page anew from their sources
	go -C dashboard/build run .

.PHONY: test-pi
test-pi: ## the shipped binary on emulated Raspberry Pis with real kernel devices
	go test -count=1 -tags emulated -timeout 40m -v ./test/emulated/...

.PHONY: test-faults
test-faults: ## bad networks, restarted brokers, kill -9, power cuts: nothing is lost (needs root); attacks on the embedded broker
	go test -count=1 -tags faults -timeout 15m -parallel 8 -v ./test/faults/...
	go test -count=1 -tags faults -run Attacks -v ./mqttlink/broker
	go test -count=1 -run 'TestYear|TestEveryCrash' -v ./history

.PHONY: bench
bench: ## benchmarks, with the peers beside them in the same run
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## remove what was built (not the caches)
	rm -rf bin dist
