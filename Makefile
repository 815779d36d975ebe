# Everything a newcomer needs: `make demo` shows Fairlead at work, `make test` runs
# all tests. Nothing but Go, make and git is needed to build.
GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
export CGO_ENABLED = 0

.PHONY: build demo test soak fire browser screenshots engines containers containers-figures check race size bench bench-judge bench-judge-quick clean

build:
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/fairlead ./cmd/fairlead

demo: build
	bin/fairlead tour

# The simulation has the machine to itself: it is as fast as the machine is free.
test: build
	$(GO) test $$($(GO) list ./... | grep -v /sim$$)
	$(GO) test ./sim

# Worlds that nobody has seen before, for an hour.
soak:
	$(GO) test ./sim -run TestEveryPromiseHoldsInEveryWorld -soak 1h -timeout 70m -v

# What takes too long for every change: everything killed at random under traffic, and
# deploy after deploy. Some five minutes.
fire: build
	FAIRLEAD_FIRE=1 FAIRLEAD_DEPLOYS=20 $(GO) test -count=1 -timeout 20m -v -run 'UnderFire|ManyDeploys' ./e2e

# The console in a real headless Chromium, under real traffic. Wants /usr/bin/chromium, or
# another one that FAIRLEAD_CHROMIUM names. Some four minutes.
browser: build
	FAIRLEAD_BROWSER=1 $(GO) test -count=1 -timeout 15m -run InTheBrowser ./e2e

# Pictures of every page and state of the console, from real traffic, into docs/images.
screenshots: build
	FAIRLEAD_BROWSER=1 FAIRLEAD_PICTURES=$(CURDIR)/docs/images $(GO) test -count=1 -timeout 20m -v -run PicturesOfTheConsole ./e2e

# A Docker and a Podman start here and run a container. Wants root, dockerd and podman.
engines:
	FAIRLEAD_ENGINES=1 $(GO) test -count=1 ./workload/container/enginetest

# Everything that needs a real Docker and a real Podman, which the tests start and end
# themselves; without one of them they fail. Wants root, dockerd and podman. Some ten minutes.
containers: build
	FAIRLEAD_ENGINES=1 $(GO) test -count=1 -timeout 15m -p 1 \
		$$(git grep -l container/enginetest -- '*_test.go' ':!e2e' | xargs -n1 dirname | sort -u | sed 's,^,./,')
	FAIRLEAD_ENGINES=1 FAIRLEAD_ROLLOUTS=5 FAIRLEAD_STARTS=3 $(GO) test -count=1 -timeout 20m -v -run InContainers ./e2e

# The figures of containers: their starts beside docker run, and requests lost in 50 rollouts.
containers-figures: build
	FAIRLEAD_ENGINES=1 FAIRLEAD_ROLLOUTS=50 FAIRLEAD_STARTS=25 $(GO) test -count=1 -timeout 60m -v \
		-run 'InContainers(NoRequestIsLost|AStartIsTimed)' ./e2e

# Format, vet, staticcheck and the architecture.
check:
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 -run TestArchitecture .
	GOOS=darwin $(GO) build -o /dev/null ./cmd/fairlead

# The race detector needs cgo, so these tests start no shims: see docs/design/sandbox.md.
# A judge belongs to one goroutine, and its thousands of simulated runs would take half an hour.
race:
	CGO_ENABLED=1 $(GO) test -race -short $$($(GO) list ./... | grep -v -e /workload/local -e /cmd/ -e /e2e -e /rollout/judge)

# The binary as released, and as an ordinary build makes it, is under 60 MB each.
size: build
	$(GO) build -o bin/fairlead-plain ./cmd/fairlead
	@for f in bin/fairlead bin/fairlead-plain; do \
		bytes=$$(wc -c < $$f); echo "$$f: $$bytes bytes"; \
		if [ "$$bytes" -ge 60000000 ]; then echo "$$f is not under 60 MB"; exit 1; fi; \
	done

# The figures that Fairlead promises, beside their goals: some fifteen minutes, on a machine
# that does nothing else. Results and a kept state of 1 GB are in bench/out.
bench: build
	$(GO) run ./bench

# Fairlead's judge beside its peers on the release fault corpus, and its promises checked.
# What was made before is kept in sim/corpus/out, so that a run that was stopped goes on.
# Writes docs/benchmark.*. About eight hours on two idle cores; with -rollouts 100 and
# -validity 4000, under two.
bench-judge:
	$(GO) run ./sim/corpus/cmd bench -profile full -docs docs

# The same on a cell of each kind, in minutes; writes into sim/corpus/out.
bench-judge-quick:
	$(GO) run ./sim/corpus/cmd bench -profile quick

clean:
	rm -rf bin
