# Every target does its own set-up (scripts/setup): it installs what is missing in CI, or as root with
# VERDMARC_INSTALL=1, and otherwise names the command that would, and stops.

MAKEFLAGS += --no-print-directory
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# OpenSSL is the system's where its headers are, otherwise it is compiled in. Asked when needed: set-up may have installed it.
FEATURES = $(shell pkg-config --exists openssl 2>/dev/null || echo --features vendored)
CARGO = cargo
# Where cargo puts the binary; asked of cargo, because settings of the user may move it.
VERDMARC = $(shell cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/verdmarc

FUZZ_SECONDS ?= 60
FUZZ_TARGETS = header_section from dmarc_record spf_record dkim_tag_list authentication_results
CROSSCHECK_MESSAGES ?= 2000
CROSSCHECK_MUTATIONS ?= 5000

step = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup-build ## Run the whole way on an embedded broker: mail in, verdicts out (ARGS=--keep, ARGS=FILE)
	$(call step,building verdmarc (the first time takes some minutes))
	@$(CARGO) build --locked $(FEATURES)
	@$(VERDMARC) demo $(ARGS)

.PHONY: test
test: setup-build setup-tests setup-broker ## Run all tests: published suites, own cases, crosscheck with other verifiers, cargo test
	$(call step,building)
	@$(CARGO) test --locked --no-run $(FEATURES)
	@$(MAKE) conformance
	@$(MAKE) crosscheck
	$(call step,cargo test)
	@$(CARGO) test --locked --quiet $(FEATURES)

.PHONY: conformance
conformance: setup-build ## Judge the cases of tests/conformance and tests/cases
	$(call step,conformance)
	@$(CARGO) build --locked --quiet $(FEATURES)
	@scripts/conformance $(VERDMARC)

.PHONY: crosscheck
crosscheck: setup-build setup-tests ## Compare with dkimpy, pyspf and authheaders on the corpus and its mutations
	$(call step,crosscheck: $(CROSSCHECK_MESSAGES) messages and $(CROSSCHECK_MUTATIONS) mutations)
	@$(CARGO) build --locked --quiet $(FEATURES)
	@$(CARGO) build --locked --quiet --example corpus $(FEATURES)
	@scripts/crosscheck $(VERDMARC) $(CROSSCHECK_MESSAGES) $(CROSSCHECK_MUTATIONS)

.PHONY: cases
cases: setup-tests ## Write tests/cases/*.jsonl again from tests/cases/generate.py
	@scripts/python tests/cases/generate.py

.PHONY: lint
lint: setup-build ## Check format, clippy, style, and that the published suites are unchanged
	$(call step,format)
	@$(CARGO) fmt --check
	$(call step,clippy)
	@$(CARGO) clippy --locked --quiet --all-targets $(FEATURES) -- -D warnings
	$(call step,style)
	@scripts/check-style
	@scripts/check-conformance

.PHONY: bench
bench: setup-build ## Measure CPU and memory per message, beside stock mail-auth
	@$(CARGO) bench --locked $(FEATURES) --benches

.PHONY: fuzz
fuzz: setup-build setup-fuzz ## Run each fuzz target for a minute (FUZZ_SECONDS, FUZZ_TARGETS)
	@for target in $(FUZZ_TARGETS); do \
		printf '\n== fuzz %s for %s s\n' $$target $(FUZZ_SECONDS); \
		mkdir -p fuzz/target/corpus/$$target; \
		cargo +nightly fuzz run $$target fuzz/target/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -print_final_stats=1 -verbosity=0; \
	done

.PHONY: audit
audit: setup-audit ## Check licences, bans, duplicate versions and sources of all dependencies
	@cargo deny --all-features check --hide-inclusion-graph licenses bans sources

.PHONY: audit-advisories
audit-advisories: setup-audit ## Check dependencies against the advisory database (needs github.com)
	@cargo deny --all-features check advisories

.PHONY: setup-build setup-tests setup-audit setup-fuzz
setup-build setup-tests setup-audit setup-fuzz: setup-%:
	@scripts/setup $*

.PHONY: setup-broker
setup-broker:
	@scripts/kafka
