# check    formatting, vet, linters: what needs no test to run
# test     everything: check, unit tests with the race detector, command scripts, kill and resume,
#          interoperability with TensorFlow. Installs what it needs into $(CACHE).
# interop  only the tests against TensorFlow and Keras, on what SEED (1) draws
# fuzz     each fuzz target for FUZZTIME (10m), two at a time
# golden   make the golden files again, with TensorFlow and with our own -update
# interop-long  the same with a new seed, and ten times as many histories and restores
# torture  the long forms of the tests for crashes, faults and damage, of all modules, for an hour or two; each fuzz
#          target for a moment; the mutation proof. Prints how often each thing was tried
# bench    saves and restores of ours and of others side by side on one disk, in an hour or two: docs/performance.md.
#          Needs 20 GiB of disk, and 7 for the others' programs
# bench-short  the same against TensorFlow alone, in minutes
# scenarios  each behaviour of TensorFlow that the design started from has its test (interop/scenarios.txt)
.PHONY: check test unit interop interop-long fuzz torture golden scenarios bench bench-short

SHELL   := /bin/bash -o pipefail
CACHE   := $(or $(CKPT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ckpt-dev)
MODULES := $(shell cat allmodules)

LINT_VERSION        := 2.15.0
STATICCHECK_VERSION := 0.8.2
LINT        := $(CACHE)/bin/golangci-lint-$(LINT_VERSION)
STATICCHECK := $(CACHE)/bin/staticcheck-$(STATICCHECK_VERSION)
FUZZTIME    := 10m
SEED        := 1

test: check scenarios unit interop

check: $(LINT) $(STATICCHECK)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	@set -e; for m in $(MODULES); do echo "check $$m"; (cd $$m && go vet -tags interop ./... && $(STATICCHECK) -tags interop ./... && $(LINT) run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...); done
	@set -e; for os in windows darwin; do echo "check on $$os"; GOOS=$$os CGO_ENABLED=0 go vet ./...; done

# What tries everything that can happen, one by one, does a part of it under the race detector (torture.Thin)
# and all of it without: the packages whose tests import internal/torture run twice.
unit:
	@set -e; for m in $(MODULES); do echo "test $$m"; (cd $$m && go test -race -timeout 45m ./...); done
	@set -e; for m in $(MODULES); do \
	  whole=$$(cd $$m && go list -f '{{.ImportPath}}:{{range .TestImports}} {{.}}{{end}}{{range .XTestImports}} {{.}}{{end}} ' ./... | sed -n 's,:.* github.com/ckpt-dev/ckpt/internal/torture .*,,p'); \
	  [ -z "$$whole" ] || { echo "test $$m, the whole of what the race detector got a part of"; (cd $$m && go test -timeout 45m $$whole); }; done

interop:
	@echo 'interop -seed $(SEED)'
	@python=$$(interop/venv.sh) && CKPT_PYTHON="$$python" go test -tags interop -count 1 -timeout 40m ./interop -seed $(SEED)

interop-long:
	@python=$$(interop/venv.sh) && CKPT_PYTHON="$$python" go test -tags interop -count 1 -timeout 60m -v ./interop -seed 0 -histories 2000 -restores 3000

scenarios:
	@go run ./interop/scenarios

fuzz:
	@internal/fuzz.sh $(FUZZTIME)

torture:
	@internal/torture.sh 20s

# Where the numbers go besides the table: a benchmark's own results are nothing to commit.
bench bench-short: MEASURED = $(CACHE)/$@.json
bench:
	@mkdir -p $(CACHE) && cd bench && go run . -dir "$(CACHE)" -json "$(MEASURED)" && echo 'every measurement: $(MEASURED)'
bench-short:
	@mkdir -p $(CACHE) && cd bench && go run . -short -dir "$(CACHE)" -json "$(MEASURED)" && echo 'every measurement: $(MEASURED)'

golden:
	@python=$$(interop/venv.sh) && "$$python" interop/golden/make.py
	go test ./... -update

$(CACHE)/bin/golangci-lint-$(LINT_VERSION):
	@echo "installing golangci-lint $(LINT_VERSION) (once, a few minutes)"
	@tmp=$$(mktemp -d) && GOFLAGS= GOWORK=off GOBIN=$$tmp CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION) && mkdir -p $(@D) && mv $$tmp/golangci-lint $@ && rmdir $$tmp

$(CACHE)/bin/staticcheck-$(STATICCHECK_VERSION):
	@echo "installing staticcheck $(STATICCHECK_VERSION) (once)"
	@tmp=$$(mktemp -d) && GOFLAGS= GOWORK=off GOBIN=$$tmp go install honnef.co/go/tools/cmd/staticcheck@v$(STATICCHECK_VERSION) && mkdir -p $(@D) && mv $$tmp/staticcheck $@ && rmdir $$tmp
