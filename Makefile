# The tasks of this repository. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SERVICES := authorize token device session keys
MODULES  := api libs libs/testkit/chromium $(SERVICES:%=services/%) deployments
PACKAGES := $(MODULES:%=./%/...)

# The tag v1.2.3 names the version 1.2.3.
VERSION ?= $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null || echo dev))
COMMIT  ?= $(shell git rev-parse --verify -q HEAD 2>/dev/null || echo unknown)
KIT     := github.com/platform-oauth/platform-oauth/libs/servicekit
export CGO_ENABLED ?= 0
BUILD   := go build -trimpath -buildvcs=false -tags nomsgpack -ldflags '-s -w -X $(KIT).version=$(VERSION) -X $(KIT).commit=$(COMMIT)'

BIN ?= bin

# The race detector needs a C compiler. Without one the tests run without it, except
# in CI, where that would hide races.
RACE := $(if $(or $(CI),$(shell command -v cc)),-race,)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build platform and the five services into bin/
	@mkdir -p $(BIN)
	$(BUILD) -o $(BIN)/ ./deployments/platform $(foreach s,$(SERVICES),./services/$(s)/cmd/$(s))

.PHONY: run
run: ## build and start everything in one process, with a demo sign-in to try
	@mkdir -p bin
	$(BUILD) -o bin/ ./deployments/platform
	bin/platform up --demo

.PHONY: test
test: ## run all tests: unit, contract (SQLite and PostgreSQL), architecture, end to end
	@$(MAKE) --no-print-directory -j2 e2e test-packages

# Programs that the tests start and that no package manager has.
TOOLS := bin/openbao bin/tools/helm bin/tools/kubeconform bin/kube bin/tools/oauth2-proxy

# go vet is part of make lint.
.PHONY: test-packages
test-packages: $(TOOLS)
	@echo "go test $(RACE), all packages but deployments/e2e"
	@CGO_ENABLED=$(if $(RACE),1,0) go test -vet=off $(RACE) -tags nomsgpack -timeout 45m $(TESTFLAGS) $(filter-out %/deployments/e2e,$(shell go list -tags nomsgpack $(MODULES:%=./%/...)))

# These tests take longest and wait most, so they run in parallel with the others. Of
# the programs that they start, only the process with all five services is built with
# the race detector.
.PHONY: e2e
e2e: deployments/e2e/node_modules $(TOOLS) ## run only the end-to-end tests
	CGO_ENABLED=$(if $(RACE),1,0) E2E_RACE=$(RACE) go test -vet=off -tags nomsgpack -timeout 45m $(TESTFLAGS) ./deployments/e2e

deployments/e2e/node_modules: deployments/e2e/package-lock.json
	cd deployments/e2e && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# One run over all modules, because most of its time goes into reading what they share.
.PHONY: lint
lint: bin/tools/golangci-lint ## run golangci-lint, with go vet and gofumpt, on all modules, and check the style report
	bin/tools/golangci-lint run $(MODULES:%=./%/...)
	@$(MAKE) --no-print-directory style-report STYLEFLAGS=-check

.PHONY: fmt
fmt: bin/tools/golangci-lint ## format every Go file (gofumpt, grouped imports)
	bin/tools/golangci-lint fmt $(MODULES)

.PHONY: style-report
style-report: ## print figures on the style of the code and the Markdown, with their limits
	@cd deployments/tools && GOWORK=off go run ./stylereport $(STYLEFLAGS) $(CURDIR)

.PHONY: generate
generate: bin/tools/helm ## regenerate the route table and the settings in the schema of the chart's values
	go run ./api/internal/routegen -dir api
	go test -count=1 -tags nomsgpack -run TestTheSchemaKnowsTheSettings ./deployments/charttest -update

.PHONY: verify
verify: ## check that generated files, go.mod, go.sum and go.work are up to date, and that each module builds alone
	go run ./api/internal/routegen -dir api -check
	@for m in $(MODULES); do echo "tidy $$m"; (cd $$m && GOWORK=off go mod tidy -diff && GOWORK=off go build ./...); done
	@before=$$(cat go.work* $(MODULES:%=%/go.mod) | sha256sum); go work sync; \
	after=$$(cat go.work* $(MODULES:%=%/go.mod) | sha256sum); \
	[ "$$before" = "$$after" ] || { echo "go work sync changed a file: commit what it wrote"; exit 1; }

CHART    := charts/platform-oauth
EXAMPLES := minimal production dev
# The oldest and the newest Kubernetes for which deployments/tools/chart/kubeschemas writes schemas.
KUBE_VERSIONS := 1.29.15 1.37.0

.PHONY: chart
chart: bin/tools/helm bin/tools/kubeconform bin/tools/helm-unittest bin/kube ## lint, render, validate and test the Helm chart
	@mkdir -p bin/chart
	@for e in $(EXAMPLES); do echo "chart $$e"; \
	bin/tools/helm lint --strict --quiet --kube-version 1.29.0 -f $(CHART)/examples/$$e.yaml $(CHART); \
	bin/tools/helm template login $(CHART) -n identity --kube-version 1.29.0 -f $(CHART)/examples/$$e.yaml >bin/chart/$$e.yaml; done
	@for v in $(KUBE_VERSIONS); do echo "kubeconform $$v"; bin/tools/kubeconform -strict -summary -kubernetes-version $$v \
	-schema-location 'bin/kube/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json' \
	$(EXAMPLES:%=bin/chart/%.yaml) deployments/e2e/testdata/cluster/dependencies.yaml; done
	bin/tools/helm-unittest --strict $(CHART)
	go test -count=1 -tags nomsgpack ./deployments/charttest

.PHONY: verify-cluster
verify-cluster: bin/tools/helm ## install, use, scale, upgrade and remove the chart on the cluster of your kubeconfig (see deployments/e2e/cluster_test.go)
	go test -count=1 -v -tags nomsgpack,cluster -timeout 40m -run '^TestOnACluster$$' ./deployments/e2e

# The database of vulnerabilities. Findings fail; only where the database can't be reached
# does this go on. -version prints when it was updated if it can be read.
GOVULNDB ?= https://vuln.go.dev
VULNCHECKED ?= github.com/platform-oauth/platform-oauth/...

.PHONY: vulncheck
vulncheck: bin/tools/govulncheck ## look for known vulnerabilities in the code that the programs call
	@if bin/tools/govulncheck -db $(GOVULNDB) -version | grep '^DB updated'; then \
	bin/tools/govulncheck -C deployments -db $(GOVULNDB) -tags nomsgpack $(VULNCHECKED); \
	else echo "vulncheck: NOT CHECKED, because $(GOVULNDB) can't be reached"; fi

.PHONY: check
check: test lint verify vulncheck chart ## run test, lint, verify, vulncheck and chart

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10s; 500x for 500 inputs); KEEP=12 keeps inputs that reached new code
	@FUZZTIME=$(FUZZTIME) KEEP=$(KEEP) deployments/tools/fuzz.sh

# An image's name is IMAGES followed by the service's name; its tag is the version.
IMAGES      ?= platform-oauth/
IMAGE_TAG   ?= $(VERSION)
DOCKER      ?= docker
GO_IMAGE    ?= golang:1.26
DOCKERFLAGS ?=

# One program for the development loop, for Linux on this machine's architecture.
bin/local/%: FORCE
	@mkdir -p bin/local
	GOOS=linux $(BUILD) -o $@ $(if $(filter platform,$*),./deployments/platform,./services/$*/cmd/$*)
FORCE:

.PHONY: images
images: ## build the container images of platform and the five services
	@for image in platform $(SERVICES); do echo "image $(IMAGES)$$image:$(IMAGE_TAG)"; \
	DOCKER_BUILDKIT=1 $(DOCKER) build $(DOCKERFLAGS) -f deployments/docker/Dockerfile --target $$image --build-arg GO_IMAGE=$(GO_IMAGE) \
	--build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGES)$$image:$(IMAGE_TAG) .; done

.PHONY: images-check
images-check: ## build the images with a real engine, starting one if necessary, and test them
	deployments/docker/check.sh

# What `make release` makes programs for. SBOMs are those of the first.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/arm64
RELEASE   ?= bin/release/$(VERSION)

.PHONY: release
release: bin/tools/helm bin/tools/cyclonedx-gomod bin/tools/release ## build everything that a version publishes into bin/release/<version> (see .github/RELEASING.md)
	@VERSION=$(VERSION) COMMIT=$(COMMIT) RELEASE=$(RELEASE) PLATFORMS='$(PLATFORMS)' IMAGES=$(IMAGES) DOCKER=$(DOCKER) \
	deployments/tools/release/release.sh

.PHONY: release-check
release-check: bin/tools/helm bin/tools/cyclonedx-gomod bin/tools/release ## check that two runs of make release give the same bytes
	cd deployments/tools/release && GOWORK=off go test ./...
	@PLATFORMS='$(PLATFORMS)' deployments/tools/release/check.sh

.PHONY: bench
bench: ## run each benchmark once
	go test -run '^$$' -bench . -benchmem -benchtime $${BENCHTIME:-1s} $(PACKAGES) | grep -vE '^(\?|ok|PASS)'

.PHONY: clean
clean: ## remove everything that was built
	rm -rf bin deployments/e2e/node_modules

# Pinned in a module of its own, so that its dependencies never become ours.
bin/tools/golangci-lint: deployments/tools/go.mod deployments/tools/go.sum
	@mkdir -p bin/tools
	cd deployments/tools && GOWORK=off go build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# The tools that check the chart, in another module for the same reason: Helm has many dependencies.
CHART_TOOLS := deployments/tools/chart/go.mod deployments/tools/chart/go.sum
HELM_FLAGS   = -X helm.sh/helm/v3/internal/version.version=$$(GOWORK=off go list -m -f '{{.Version}}' helm.sh/helm/v3)
bin/tools/helm: PACKAGE := helm.sh/helm/v3/cmd/helm
bin/tools/kubeconform: PACKAGE := github.com/yannh/kubeconform/cmd/kubeconform
bin/tools/helm-unittest: PACKAGE := github.com/helm-unittest/helm-unittest/cmd/helm-unittest
bin/tools/helm bin/tools/kubeconform bin/tools/helm-unittest: $(CHART_TOOLS)
	@mkdir -p bin/tools
	cd deployments/tools/chart && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $(if $(filter %/helm,$@),$(HELM_FLAGS))" -o $(CURDIR)/$@ $(PACKAGE)

bin/kube: deployments/tools/chart/kubeschemas/main.go
	rm -rf $@
	cd deployments/tools/chart && GOWORK=off go run ./kubeschemas $(CURDIR)/$@

# The tools that make and check a release, in a module of their own for the same reason.
RELEASE_TOOLS := deployments/tools/release/go.mod deployments/tools/release/go.sum
bin/tools/cyclonedx-gomod: PACKAGE := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
bin/tools/govulncheck: PACKAGE := golang.org/x/vuln/cmd/govulncheck
bin/tools/release: PACKAGE := .
bin/tools/release: $(wildcard deployments/tools/release/*.go)
bin/tools/cyclonedx-gomod bin/tools/govulncheck bin/tools/release: $(RELEASE_TOOLS)
	@mkdir -p bin/tools
	cd deployments/tools/release && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o $(CURDIR)/$@ $(PACKAGE)

# The proxy through which the end-to-end tests sign in, also in a module of its own.
# Building it takes a minute and a half of one core the first time.
bin/tools/oauth2-proxy: deployments/tools/oauth2proxy/go.mod deployments/tools/oauth2proxy/go.sum
	@mkdir -p bin/tools
	cd deployments/tools/oauth2proxy && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ github.com/oauth2-proxy/oauth2-proxy/v7

# The Vault that tests start, which is OpenBao, in a module of its own for the same
# reason. Compiling takes two minutes the first time, and afterwards comes from Go's
# cache. Test packages run in parallel, so it must be built before them.
bin/openbao: $(shell find deployments/openbao -type f)
	@mkdir -p bin
	cd deployments/openbao && GOWORK=off GOFLAGS= CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false \
	-ldflags '-s -w -X github.com/openbao/openbao/version.fullVersion=2.4.0' -o $(CURDIR)/$@ .
