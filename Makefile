# make           build ./gw, one static binary
# make demo      show gw at work in network namespaces (root)
# make test      run every test (root; without gcc the race detector is left out)
# make vmlab     run the tests that want zero-copy cards or another kernel, in virtual
#                machines (QEMU and Debian's kernels are fetched with apt; root)
# make test-arm64
#                build for arm64, and run there what needs no AF_XDP (qemu-user)
# make lint      formatting, vet, staticcheck, the project's own rules
# make page-picture
#                make docs/page.png anew (root, chromium-headless-shell, fonts-inter)
# make install   put gw below PREFIX (/usr/local), with manual pages, completions and the systemd unit
# make deb       build a Debian package of it
# make bench     measure: in memory, and end to end against the kernel and others (root),
#                in some twenty minutes; make bench-quick in two
# make bench-check
#                compare instructions and allocations per packet with bench/baseline.txt,
#                which make bench-baseline writes (valgrind)

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PREFIX  ?= /usr/local
LDFLAGS := -s -w -X vxgw/gateway.Version=$(VERSION)

.PHONY: all build demo test vmlab test-arm64 lint generate check-bpf bench bench-quick bench-check bench-baseline page-picture install deb clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o gw ./cmd/gw

demo: build
	./gw demo

# Mapped memory is invisible to the race detector, and allocations are counted
# without it: what depends on either runs both ways. Tests in labs mostly wait, so
# more of them run at a time than there are CPUs. A package that takes a few minutes by
# itself takes many beside others on a slow machine: PATIENCE is for one that hangs.
PATIENCE := 45m
test:
	@if command -v gcc >/dev/null; then \
		echo "$(GO) test ./fdb ./ring ./vxlan ./dataplane ./gateway" && $(GO) test -timeout $(PATIENCE) ./fdb ./ring ./vxlan ./dataplane ./gateway && \
		echo "$(GO) test -race -parallel 4 ./..." && CGO_ENABLED=1 $(GO) test -race -parallel 4 -timeout $(PATIENCE) ./...; \
	elif [ "$$CI" = true ]; then \
		echo "make test: no gcc, so no race detector (apt-get install gcc)" >&2; exit 1; \
	else \
		$(GO) test -parallel 4 -timeout $(PATIENCE) ./... && echo "make test: no gcc, so the race detector was left out (apt-get install gcc)"; \
	fi

# In CI only what fails is said, which else is lost in what passes.
vmlab:
	$(GO) test -tags vmlab $(if $(filter true,$(CI)),,-v) -count 1 -parallel 2 -timeout 30m ./internal/vmlab

test-arm64:
	.ci/arm64

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt -w these:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags vmlab ./...
	$(GO) tool staticcheck -tags vmlab ./...
	$(GO) run ./internal/rules

generate:
	$(GO) generate ./config ./control
	$(GO) generate ./...

check-bpf:
	bpf/check.sh

# BENCHFLAGS="--out DIR" keeps the report and its pictures. Peers are unpacked into a
# cache; without them the bench says so, and goes on.
bench bench-quick: build
	@bench/peers.sh || echo "make $@: Open vSwitch will not be measured"
	./gw bench $(if $(filter bench-quick,$@),--quick) $(BENCHFLAGS)

# The allocations of every path, without the race detector, and the instructions of some.
bench-check:
	$(GO) test -run 'TestLoops|TestQuickInMemory' ./bench
	GO="$(GO)" bench/instructions.sh check

bench-baseline:
	GO="$(GO)" bench/instructions.sh write

page-picture:
	dir=$$(mktemp -d) && PAGE_PICTURES=$$dir $(GO) test -count 1 -run 'TestPage$$' ./cmd/gw && cp $$dir/page.png docs/ && ls $$dir/*

install: build
	deploy/install.sh ./gw "$(DESTDIR)" "$(PREFIX)"

deb: build
	deploy/debian/build.sh ./gw "$(VERSION)" .

clean:
	rm -f gw gw_*.deb
