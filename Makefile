# make        build the binary into bin/
# make run    build and start the platform with the bundled services
# make test   everything that can be tested here; as root, installs the few tools
#             that it needs and misses (tools/test-deps). Ends with the tests that
#             this machine could not run, and why; MUST=REGEXP names packages of
#             which each has to
# make check  formatting, vet, staticcheck and the race detector
# make fuzz   every fuzz target for a while (FUZZTIME=30s)
# make bench  the end-to-end benchmark: figures beside their baselines
#             (ONLY=Edge: those of the edge alone)

export CGO_ENABLED = 0
GO   = go
TOOL = $(GO) tool -modfile=tools/go.mod
FUZZTIME = 30s
MUST =
ONLY =

build:
	$(GO) build -trimpath -o bin/dropstack ./cmd/dropstack

run: build
	bin/dropstack up

test:
	tools/test-deps
	$(GO) run ./internal/testkit/suite -must '$(MUST)' -- -timeout 25m ./...

check: fmt vet race

fmt:
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files '*.go' | grep -v '_templ\.go$$')); \
	if [ -n "$$unformatted" ]; then echo "not gofumpt-clean:"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...
	$(TOOL) staticcheck ./...

# Packages whose tests only drive the built program, which the detector does not see,
# are left out.
race:
	CGO_ENABLED=1 $(GO) test -race -short -timeout 25m $$($(GO) list ./... | grep -vE '/internal/(console/walk|corpus|edgejudge|judge|osls)$$')

generate:
	$(TOOL) templ generate

fuzz:
	tools/fuzz $(FUZZTIME)

bench:
	tools/bench-deps
	$(GO) test -tags bench -count=1 -v -run 'Figures.*$(ONLY)' ./bench

# dist: the binary and the services built for it, which need no Go
dist: build
	tools/dist

.PHONY: build run test check fmt vet race generate fuzz bench dist
.DEFAULT_GOAL = build
