# Every target does its own set-up (scripts/setup): it installs what is missing in CI, or as root with
# VERDMARC_INSTALL=1, and otherwise names the command that would, and stops.

MAKEFLAGS += --no-print-directory
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# OpenSSL is the system's where its headers are, otherwise it is compiled in. Asked when needed: set-up may have installed it.
VENDORED = $(shell pkg-config --exists openssl 2>/dev/null || echo vendored)
FEATURES = $(if $(VENDORED),--features $(VENDORED))
# Tests have the process die at failpoints, which no other build has. `cargo test --no-run` builds the binary and the examples with
# them; `cargo build` would compile many dependencies once more, with fewer features.
TEST_FEATURES = --features "failpoints $(VENDORED)"
CARGO = cargo
# Where cargo puts the binary; asked of cargo, because settings of the user may move it.
VERDMARC = $(shell cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/verdmarc

FUZZ_SECONDS ?= 60
# Memory of a target, its corpus and what is kept of parsed keys and records included.
FUZZ_MIB ?= 512
FUZZ_TARGETS = header_section from dmarc_record spf_record dkim_tag_list authentication_results failure_record
SOAK_SEEDS ?= 20
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
test: setup-build setup-tests setup-broker ## Run all tests: published suites, own cases, crosscheck, readers, README, units, Apache Kafka
	$(call step,building)
	@$(CARGO) test --locked --no-run $(TEST_FEATURES)
	@$(MAKE) conformance
	@$(MAKE) crosscheck
	@$(MAKE) readers
	@$(MAKE) asyncapi
	@$(MAKE) readme
	$(call step,cargo test)
	@$(CARGO) test --locked --quiet $(TEST_FEATURES)

.PHONY: conformance
conformance: setup-build ## Judge the cases of tests/conformance and tests/cases
	$(call step,conformance)
	@$(CARGO) test --locked --quiet --no-run $(TEST_FEATURES)
	@scripts/conformance $(VERDMARC)

.PHONY: crosscheck
crosscheck: setup-build setup-tests ## Compare with dkimpy, pyspf and authheaders on the corpus and its mutations
	$(call step,crosscheck: $(CROSSCHECK_MESSAGES) messages and $(CROSSCHECK_MUTATIONS) mutations)
	@$(CARGO) test --locked --quiet --no-run $(TEST_FEATURES)
	@scripts/crosscheck $(VERDMARC) $(CROSSCHECK_MESSAGES) $(CROSSCHECK_MUTATIONS)

.PHONY: readers
readers: setup-build setup-tests ## Have reports of made-up messages read by schemas and by programs of others
	$(call step,readers)
	@$(CARGO) test --locked --quiet --no-run $(TEST_FEATURES)
	@scripts/readers $(VERDMARC)

.PHONY: asyncapi
asyncapi: setup-tests ## Have AsyncAPI's own parser check schemas/asyncapi.yaml
	$(call step,asyncapi)
	@scripts/asyncapi

.PHONY: readme
readme: setup-build setup-tests setup-broker ## Run every example of the README against Apache Kafka
	$(call step,readme)
	@$(CARGO) test --locked --quiet --no-run $(TEST_FEATURES)
	@scripts/readme $(VERDMARC)

.PHONY: test-grpc
test-grpc: setup-build setup-tests ## Have telemetry arrive over gRPC too, at a receiver that others wrote
	$(call step,telemetry over gRPC)
	@$(CARGO) test --locked --quiet --features "failpoints grpc $(VENDORED)" --test telemetry

.PHONY: test-deploy
test-deploy: setup-build setup-tests setup-deploy ## Check the Helm chart, the plain manifests, alerts and dashboard
	$(call step,test-deploy)
	@$(CARGO) test --locked --quiet --no-run $(TEST_FEATURES)
	@scripts/test-deploy $(VERDMARC)

.PHONY: mutants
mutants: setup-build setup-broker ## Break each rule of delivery once and see a test fail (MUTANTS=NAME…)
	@scripts/mutants $(CARGO) test --locked --quiet $(TEST_FEATURES) $(if $(MUTANTS),-- $(MUTANTS))

.PHONY: soak
soak: setup-build setup-broker ## Run the random disasters with many seeds (SOAK_SEEDS) and the production time-outs
	@for seed in $$(seq 1 $(SOAK_SEEDS)); do \
		VERDMARC_SEED=$$seed $(CARGO) test --locked --quiet $(TEST_FEATURES) --test exactly_once p1_every -- --nocapture; \
		VERDMARC_SEED=$$seed $(CARGO) test --locked --quiet $(TEST_FEATURES) --test aggregate p6_every -- --nocapture; \
	done
	@VERDMARC_SOAK=1 $(CARGO) test --locked --quiet $(TEST_FEATURES) --test exactly_once members_come_and_go -- --nocapture

.PHONY: image
image: setup-image ## Build the container image with buildah, and its symbols and SBOM (docs/image.md)
	@scripts/image

# It does its own set-up once it knows that it may start containers.
.PHONY: test-kubernetes
test-kubernetes: ## Test image and chart on a real cluster with Apache Kafka beside it; as root (ARGS=STEP…)
	@scripts/kubernetes $(ARGS)

.PHONY: cases
cases: setup-tests ## Write tests/cases/*.jsonl again from tests/cases/generate.py
	@scripts/python tests/cases/generate.py

.PHONY: lint
lint: setup-build ## Check format, clippy, style, and that the published suites are unchanged
	$(call step,format)
	@$(CARGO) fmt --check
	$(call step,clippy)
	@$(CARGO) clippy --locked --quiet --all-targets $(TEST_FEATURES) -- -D warnings
	$(call step,style)
	@scripts/check-style
	@scripts/check-conformance
	@git apply --check tests/mutants/*.patch

.PHONY: bench
bench: setup-build setup-broker ## Measure CPU and memory per message, beside stock mail-auth; the role on Apache Kafka
	@$(CARGO) bench --locked $(FEATURES) --benches

# Without a sanitizer: with one, zstd-sys is compiled so that librdkafka cannot link it. Debug assertions stay on.
.PHONY: fuzz
fuzz: setup-build setup-fuzz ## Run each fuzz target for a minute (FUZZ_SECONDS, FUZZ_TARGETS)
	@for target in $(FUZZ_TARGETS); do \
		printf '\n== fuzz %s for %s s\n' $$target $(FUZZ_SECONDS); \
		mkdir -p fuzz/target/corpus/$$target; \
		cargo +nightly fuzz run -s none $$target fuzz/target/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=$(FUZZ_MIB) -print_final_stats=1 -verbosity=0; \
	done

.PHONY: audit
audit: setup-audit ## Check licences, bans, duplicate versions and sources of all dependencies
	@cargo deny --all-features check --hide-inclusion-graph licenses bans sources

.PHONY: audit-advisories
audit-advisories: setup-audit ## Check dependencies against the advisory database (needs github.com)
	@cargo deny --all-features check advisories

.PHONY: setup-build setup-tests setup-deploy setup-image setup-audit setup-fuzz setup-broker
setup-build setup-tests setup-deploy setup-image setup-audit setup-fuzz: setup-%:
	@scripts/setup $*

setup-broker:
	@scripts/kafka
