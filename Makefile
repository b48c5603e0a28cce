# Everything that is done with this repository by command. `make help` lists
# the targets, `make test` runs every check there is.

# Nothing here gains from running side by side: go uses all processors itself.
.NOTPARALLEL:
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SHELL := /bin/sh

# The modules of go.work: the library, its driver for Redis, the examples, the
# benchmarks, and Wye among routers, middleware and proxies.
MODULES := . layers/redis examples bench internal/matrix

# Tools, logs, coverage: all that is made here and not committed.
TMP := .tmp
BIN := $(TMP)/bin

# Upgrade here, then bring .golangci.yml up to date: it enables what is new.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(CURDIR)/$(BIN)/golangci-lint

# Systems that the code must compile for, tests included.
PLATFORMS := linux/amd64,windows/amd64,darwin/arm64,freebsd/amd64

# With less garbage collection, the linter takes a fifth less CPU, and the compiler a
# quarter less for the largest packages. Tests run without it.
LESS_GC := GOGC=400 GOMEMLIMIT=2GiB
LINT := $(LESS_GC) "$(GOLANGCI_LINT)" run

# WebSocket clients of other makes, for the tests of the chat example.
CLIENTS := examples/chat/testdata/clients

# How long each fuzz target and the soak run, and which benchmarks do.
FUZZTIME ?= 30s
SOAKTIME ?= 10m
BENCH ?= .

# How many nodes the chat has in chat-load; 0 is one process with a file.
NODES ?= 0

# How many seeds the model of the event loops runs.
SEEDS ?= 2000

# No version stamp is wanted in test programs, and asking git for one fails in
# a checkout that belongs to another user. nomsgpack is a tag of gin's: without it,
# its codec of MessagePack takes a minute of CPU, and no test uses it.
export GOFLAGS := $(filter-out -buildvcs=%,$(shell go env GOFLAGS 2>/dev/null)) -buildvcs=false -tags=nomsgpack

# $(call each,COMMAND) runs COMMAND in every module. The shell ends at the first
# failure.
define each
@set -e; for module in $(MODULES); do \
	echo "==> $(1) [$$module]"; \
	(cd "$$module" && $(1)); \
done
endef

STARTED := $(shell date +%s)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: test
test: ## Install what is missing and run every check: the one command
	@scripts/steps "$(MAKE)" deps linter lint check-tidy build types unit alloc outside docs

.PHONY: check-go
check-go:
	@scripts/check-go

.PHONY: deps
deps: packages $(CLIENTS)/node_modules/.package-lock.json ## Install the packages and the npm module that the tests need

.PHONY: packages
packages: check-go
	@scripts/deps

# npm writes this file last; it is as old as what is installed.
$(CLIENTS)/node_modules/.package-lock.json: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json | packages
	cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: linter
linter: check-go ## Build golangci-lint into .tmp/bin
	@$(LESS_GC) scripts/install-golangci-lint $(GOLANGCI_LINT_VERSION) $(BIN)

# All modules in one run share what the linter learns about their dependencies. It reads
# only one go.mod a run, and the rest of them in runs of their own. govet has the analyzers
# of go vet, which is why go vet and the vet of go test do not run as well. Under -race,
# here and in build, dependencies are compiled once: unit needs them compiled so.
.PHONY: lint
lint: GOFLAGS += -race
lint: check-go linter ## Check formatting, go vet's analyzers and golangci-lint
	@scripts/gofmt-check
	CGO_ENABLED=1 $(LINT) $(MODULES:%=./%/...)
	@set -e; for module in $(filter-out .,$(MODULES)); do \
		echo "==> golangci-lint run --enable-only gomoddirectives [$$module]"; \
		(cd "$$module" && CGO_ENABLED=1 $(LINT) --enable-only gomoddirectives ./...); \
	done

# What is worth waiting for before every commit.
.PHONY: check
check: check-go linter ## Check formatting, go vet's analyzers, golangci-lint and the library's short tests: under a minute, for every commit
	@scripts/gofmt-check
	$(LINT) ./...
	go test -short -vet=off ./...
	@echo "make check: passed, after $$(($$(date +%s) - $(STARTED))) s"

.PHONY: build
build: check-go ## Build every package and program, each module without the workspace
	$(call each,GOWORK=off CGO_ENABLED=1 $(LESS_GC) go build -race ./...)

.PHONY: types
types: check-go ## Type-check each module, tests included, without the workspace, for Linux, Windows, macOS and FreeBSD
	GOWORK=off go run ./internal/typecheck $(PLATFORMS) $(MODULES)

.PHONY: unit
unit: check-go ## Run the tests of every module under the race detector, browser and interop tests included
	$(call each,CGO_ENABLED=1 $(LESS_GC) go test -race -vet=off -exec 'env -u GOGC -u GOMEMLIMIT' -shuffle=on -timeout 10m ./...)

.PHONY: alloc
alloc: check-go ## Run the allocation tests, without the race detector
	@scripts/alloctest

.PHONY: outside
outside: check-go ## Build the README's hello world, and copies of the examples, outside the repository, and try them
	@scripts/outside
	@scripts/copychat

.PHONY: docs
docs: ## Check links and commands in the documentation
	@scripts/doccheck

.PHONY: cover
cover: check-go ## Measure the library's test coverage into .tmp/coverage.html
	@mkdir -p $(TMP)
	go test -coverpkg=./... -coverprofile=$(TMP)/coverage.out ./...
	go tool cover -html=$(TMP)/coverage.out -o $(TMP)/coverage.html
	@go tool cover -func=$(TMP)/coverage.out | tail -n 1

.PHONY: fuzz
fuzz: check-go ## Run every fuzz target for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME) $(MODULES)

.PHONY: bench
bench: check-go ## Run the benchmarks that match BENCH (all)
	@set -e; for module in . bench; do \
		echo "==> go test -bench $(BENCH) [$$module]"; \
		(cd "$$module" && go test -run '^$$' -bench '$(BENCH)' -benchmem ./...); \
	done

.PHONY: bench-table
bench-table: check-go ## Measure Wye beside other servers into bench/RESULTS.md, with nothing else running: 17 minutes (Linux)
	cd bench && go run ./run -write

.PHONY: bench-nodes
bench-nodes: check-go ## Measure groups on two nodes with Redis between them into bench/NODES.md, with nothing else running: 6 minutes (Linux)
	cd bench && go run ./nodes -write

.PHONY: bench-quick
bench-quick: check-go ## The same in 6 minutes
	cd bench && go run ./run -write -quick

.PHONY: chat-load
chat-load: check-go ## Have 1000 people talk over the chat example for a minute, or over NODES of it, of which one is killed (Linux)
	cd bench && go run ./chat -nodes $(NODES)

.PHONY: model
model: check-go ## Run the model of the event loops with the seeds from 1 to SEEDS (2000) under the race detector
	WYE_SEEDS=$(SEEDS) CGO_ENABLED=1 go test -race -count=1 -timeout 0 -run '^TestLoopModel$$' ./protocol/websocket/internal/engine

.PHONY: soak
soak: check-go ## Run servers of both engines under honest and hostile peers for SOAKTIME (10m), and check that nothing is left over (Linux)
	cd bench && go run ./soak -duration $(SOAKTIME)

.PHONY: crowd
crowd: check-go ## Have 15,000 connections be idle, talk, and be idle again, and check that the heap is what it was (Linux)
	cd bench && go run ./soak -crowd 15000 -engine loop

.PHONY: examples
examples: check-go ## Build every example into .tmp/examples
	@mkdir -p $(TMP)/examples
	cd examples && go build -o ../$(TMP)/examples/ ./...

.PHONY: chat
chat: check-go ## Run the chat example
	go run ./examples/chat

.PHONY: screenshots
screenshots: check-go ## Save what the chat's page looks like into screenshots/, light and dark, on a desk and on a phone
	@mkdir -p screenshots
	WYE_SCREENSHOTS="$(CURDIR)/screenshots" go test -count=1 -timeout 10m -run '^TestBrowser$$' ./examples/chat
	@echo "screenshots/ has $$(ls screenshots | wc -l) pictures"

.PHONY: fmt
fmt: check-go linter ## Format the code and its imports
	$(call each,"$(GOLANGCI_LINT)" fmt ./...)

# Each by itself: "go work sync" would raise the library's requirements to those
# of its examples and benchmarks, and users would get them too.
.PHONY: tidy
tidy: check-go ## Tidy every go.mod
	$(call each,GOWORK=off go mod tidy)

.PHONY: check-tidy
check-tidy: check-go ## Fail if `make tidy` would change anything
	@scripts/check-tidy

.PHONY: clean
clean: ## Remove all that was made here, tools included
	rm -rf $(TMP) $(CLIENTS)/node_modules
