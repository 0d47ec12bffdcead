# pithings: make help lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export CGO_ENABLED ?= 0

# A build is told its version; a work tree that differs from its commit says so.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# And when its source was committed, not when it is built: no clock is right that
# reads earlier, and the same source makes the same binaries. A source without git
# is told by https://reproducible-builds.org/specs/source-date-epoch/.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.built=$(SOURCE_DATE_EPOCH)
BUILD   := go build -trimpath -ldflags '$(LDFLAGS)'
TARGETS := linux/arm/6 linux/arm/7 linux/arm64 linux/amd64 darwin/arm64 windows/amd64

# How long each fuzz target runs. CI takes longer than a desk.
FUZZTIME ?= $(if $(CI),30s,5s)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build, then run the four simulated things, their flow and a broker here
	@echo "building pithings (the first time fetches its modules) ..."
	@$(BUILD) -o bin/pithings ./cmd/pithings
	@echo "built bin/pithings $(VERSION); Ctrl-C ends it"
	@exec bin/pithings run --mock

.PHONY: build
build: ## build bin/pithings for this machine
	$(BUILD) -o bin/pithings ./cmd/pithings

.PHONY: build-all
build-all: ## build the static binaries for every system into dist/
	@set -e; for t in $(TARGETS); do IFS=/ read -r os arch arm <<<"$$t"; \
	  out=dist/pithings-$$os-$$arch$${arm:+v$$arm}; [ $$os = windows ] && out=$$out.exe; \
	  GOOS=$$os GOARCH=$$arch GOARM=$$arm $(BUILD) -o $$out ./cmd/pithings; \
	  printf '%10d bytes  %s\n' "$$(wc -c <$$out)" $$out; done

.PHONY: check
check: ## the quick loop: format, vet, all tests that need only Go
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'run: gofmt -w .' >&2; exit 1; }
	go vet -tags system,emulated,faults ./...
	go test ./...

.PHONY: lint
lint: bin/staticcheck ## staticcheck on all systems that we build for, tests of every kind included
	bin/staticcheck -tags system,emulated,faults ./...
	GOOS=darwin bin/staticcheck -tags system,emulated,faults ./...
	GOOS=windows bin/staticcheck -tags system,emulated,faults ./...
	GOARCH=arm bin/staticcheck -tags system,emulated,faults ./...

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
test-fuzz: ## every fuzz target for FUZZTIME (5s; 30s in CI)
	@test/fuzz $(FUZZTIME)

.PHONY: test-cross
test-cross: ## drivers, camera and display on an emulated ARMv6 and ARM64 processor
	@test/cross

.PHONY: test-system
test-system: ## the built binary against a real mosquitto, djpeg and curl
	go test -count=1 -tags system ./test/system/...

.PHONY: test-pi
test-pi: ## the shipped binary on emulated Raspberry Pis with real kernel devices
	go test -count=1 -tags emulated -timeout 20m -v ./test/emulated/...

.PHONY: test-faults
test-faults: ## bad networks, restarted brokers, kill -9: nothing is lost (needs root)
	go test -count=1 -tags faults -timeout 15m -parallel 8 -v ./test/faults/...

.PHONY: bench
bench: ## benchmarks, with the peers beside them in the same run
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## remove what was built (not the caches)
	rm -rf bin dist
