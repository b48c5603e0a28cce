# Everything that is done with this repository by command. `make help` lists
# the targets, `make test` runs every check there is.

# Nothing here gains from running side by side: go uses all processors itself.
.NOTPARALLEL:
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SHELL := /bin/sh

# The modules of go.work: the library, the examples, the benchmarks, and Wye among
# routers, middleware and proxies.
MODULES := . examples bench internal/matrix

# Tools, logs, coverage: all that is made here and not committed.
TMP := .tmp
BIN := $(TMP)/bin

# Upgrade here, then bring .golangci.yml up to date: it enables what is new.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(CURDIR)/$(BIN)/golangci-lint

# Systems beside Linux that the code must at least compile and pass vet for.
VET_PLATFORMS := windows/amd64 darwin/arm64 freebsd/amd64

# WebSocket clients of other makes, for the tests of the chat example.
CLIENTS := examples/chat/testdata/clients

# How long each fuzz target and the soak run, and which benchmarks do.
FUZZTIME ?= 30s
SOAKTIME ?= 10m
BENCH ?= .

# No version stamp is wanted in test programs, and asking git for one fails in
# a checkout that belongs to another user.
export GOFLAGS := $(filter-out -buildvcs=%,$(shell go env GOFLAGS 2>/dev/null)) -buildvcs=false

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
test: deps lint check-tidy vet-os build unit alloc standalone outside docs ## Install what is missing and run every check: the one command
	@echo "make test: everything passed, after $$(($$(date +%s) - $(STARTED))) s"

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

.PHONY: lint
lint: check-go ## Check formatting, go vet and golangci-lint
	@scripts/gofmt-check
	$(call each,go vet ./...)
	@scripts/install-golangci-lint $(GOLANGCI_LINT_VERSION) $(BIN)
	$(call each,"$(GOLANGCI_LINT)" run ./...)

# What is worth waiting for before every commit.
.PHONY: check
check: check-go ## Check formatting, go vet, golangci-lint and the library's short tests: under a minute, for every commit
	@scripts/gofmt-check
	@scripts/install-golangci-lint $(GOLANGCI_LINT_VERSION) $(BIN)
	go vet ./...
	"$(GOLANGCI_LINT)" run ./...
	go test -short ./...
	@echo "make check: passed, after $$(($$(date +%s) - $(STARTED))) s"

.PHONY: vet-os
vet-os: check-go ## Compile and vet for Windows, macOS and FreeBSD
	@set -e; for platform in $(VET_PLATFORMS); do for module in $(MODULES); do \
		echo "==> go vet for $$platform [$$module]"; \
		(cd "$$module" && CGO_ENABLED=0 GOOS="$${platform%/*}" GOARCH="$${platform#*/}" go vet ./...); \
	done; done

.PHONY: build
build: check-go ## Build every package
	$(call each,go build ./...)

.PHONY: unit
unit: check-go ## Run the tests of every module under the race detector, browser and interop tests included
	$(call each,CGO_ENABLED=1 go test -race -shuffle=on -timeout 10m ./...)

.PHONY: alloc
alloc: check-go ## Run the allocation tests, without the race detector
	@scripts/alloctest

# The tests have run in unit; here it is enough that they compile and are linked. Those
# of alloc run without the workspace, too.
.PHONY: standalone
standalone: check-go ## Build each module and its tests without the workspace
	@set -e; export GOWORK=off; for module in $(MODULES); do \
		echo "==> GOWORK=off go test -run '^$$' ./... [$$module]"; \
		(cd "$$module" && go build ./... && go test -run '^$$' ./... >/dev/null); \
	done

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

.PHONY: chat-load
chat-load: check-go ## Have 1000 people talk over the chat example for a minute (Linux)
	cd bench && go run ./chat

.PHONY: soak
soak: check-go ## Run a server under honest and hostile peers for SOAKTIME (10m), and check that nothing is left over (Linux)
	cd bench && go run ./soak -duration $(SOAKTIME)

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
fmt: check-go ## Format the code and its imports
	@scripts/install-golangci-lint $(GOLANGCI_LINT_VERSION) $(BIN)
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
