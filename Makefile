# What can be done here: `make help`. Everything works in a fresh clone; what is missing is installed first.

PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
# A regular expression of tests, for example: make test FILTER=BencodeTests
FILTER ?=

bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man/man1
bashdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

release = -c release --static-swift-stdlib
pubky = .build/release/pubky
sources = Package.swift $(shell find Sources -type f)
formatted = $(wildcard Sources Tests Benchmarks/Package.swift Benchmarks/Sources Fuzzing/Package.swift Fuzzing/Sources \
  Package.swift)
# One set of flags for everything in debug, so that lint, test and docs share what they build.
debug = -Xswiftc -warnings-as-errors
# Tests are functions of one process and share its threads. Those that compute for long without a pause, and those that
# start other programs, run apart from those that wait for sockets, or these would wait for them.
computing = PkarrStoreTests|PkarrTests|DNSWireTests|MainlineProtocolTests|DNSResolutionTests|NSDTests
programs = EndToEndTests|InteropTests|BrowserTests
# A network that loses datagrams on purpose must not lose more since the machine has no time for it.
alone = HostileNetworkTests
run_tests = scripts/run-tests $(1) --disable-xctest $(if $(FILTER),--filter '$(FILTER)',\
  --skip 'SimulationTests|$(computing)|$(programs)' && \
  scripts/run-tests $(1) --disable-xctest --skip-build --filter '$(programs)' --skip '$(computing)|$(alone)' && \
  scripts/run-tests $(1) --disable-xctest --skip-build --filter '$(computing)' && \
  scripts/run-tests $(1) --disable-xctest --skip-build --filter SimulationTests && \
  scripts/run-tests $(1) --disable-xctest --skip-build --filter '$(alone)')

.DEFAULT_GOAL := help
.PHONY: help run build test test-thread test-address test-container bench fuzz lint format docs install uninstall clean \
  toolchain dependencies test-dependencies bench-dependencies

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Start a private DHT, a relay with its web app and a sample key on this machine; Ctrl-C stops everything
	@$(pubky) up

build: dependencies $(pubky) ## Build the command (release) as .build/release/pubky

# The link that SwiftPM puts there keeps its time; touch tells make that it is new.
$(pubky): $(sources)
	@echo "Building pubky (release); the first time takes some minutes"
	@swift build $(release) --product pubky
	@touch -c $@

# Foundation's Process, which starts other programs for the tests, copies a whole dirent where readdir gave less. With a
# thousand descriptors open that reads beyond a buffer, at whose end no memory may follow: here some always does.
test test-thread test-address: export MALLOC_ARENA_MAX = 1
test test-thread test-address: export MALLOC_TOP_PAD_ = 16777216

test: test-dependencies ## Run the tests; FILTER=NAME runs some of them
	@$(call run_tests,$(debug))

# A build for a sanitizer has a folder of its own, and simulates smaller networks. It is up to twenty times slower, so only
# a few tests run at once: a node of a DHT takes one that does not answer within a second for a silent one.
test-thread test-address: export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH = 2
test-thread test-address: export SIMULATION_NODES = 100
test-thread: test-dependencies ## Run the tests under the thread sanitizer
	@export TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/scripts/thread-sanitizer.txt"; \
	  $(call run_tests,--sanitize=thread --scratch-path .build/thread)

test-address: test-dependencies ## Run the tests under the address and leak sanitizer
	@export ASAN_OPTIONS="suppressions=$(CURDIR)/scripts/address-sanitizer.txt" \
	  LSAN_OPTIONS="suppressions=$(CURDIR)/scripts/leak-sanitizer.txt print_suppressions=0"; \
	  $(call run_tests,--sanitize=address --scratch-path .build/address)

test-container: toolchain ## Build the container image from what Debian has, and use the relay in it (as root)
	@scripts/test-container

bench: bench-dependencies ## Measure against libtorrent, libknot and libsodium, as ratios within one run
	@scripts/bench

fuzz: dependencies ## Feed each parser hostile input; SECONDS=600 sets the time for each
	@scripts/fuzz $(SECONDS)

lint: test-dependencies ## Check layout, architecture and that there is no warning
	@swift format lint --strict --parallel --recursive --configuration .swift-format $(formatted)
	@scripts/check-architecture
	@swift build --build-tests $(debug)

format: toolchain ## Lay out all Swift files
	@swift format --in-place --parallel --recursive --configuration .swift-format $(formatted)

docs: dependencies ## Build the reference of all libraries as .build/docs
	@scripts/build-docs .build/docs $(debug)

install: build ## Install command, man page and shell completions under PREFIX (/usr/local), within DESTDIR
	install -d $(bindir) $(mandir) $(bashdir) $(zshdir) $(fishdir)
	install -m 755 $(pubky) $(bindir)/pubky
	$(pubky) man > $(mandir)/pubky.1
	$(pubky) completions bash > $(bashdir)/pubky
	$(pubky) completions zsh > $(zshdir)/_pubky
	$(pubky) completions fish > $(fishdir)/pubky.fish

uninstall: ## Remove what install wrote
	rm -f $(bindir)/pubky $(mandir)/pubky.1 $(bashdir)/pubky $(zshdir)/_pubky $(fishdir)/pubky.fish

clean: ## Remove everything that was built
	rm -rf .build Benchmarks/.build Fuzzing/.build

toolchain:
	@command -v swift >/dev/null || \
	  { echo "Swift 6.3 or later is needed: https://www.swift.org/install/linux/" >&2; exit 1; }

dependencies: toolchain
	@scripts/install-dependencies build

test-dependencies: toolchain
	@scripts/install-dependencies test

bench-dependencies: toolchain
	@scripts/install-dependencies bench
