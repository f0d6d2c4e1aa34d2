#!/bin/sh
# Builds the six images with a real engine and tests them. If no engine is running and
# we are root, it starts one from Debian's package. If no registry can be reached,
# standin.sh makes the builder's image. Of several Docker clients it prefers one that
# works without the buildx plugin (Debian's).
set -eu
cd "$(dirname "$0")/../.."

engine() { for docker in ${DOCKER:-} docker /usr/bin/docker; do "$docker" info >/dev/null 2>&1 && return 0; done; return 1; }
builder() { "$docker" image inspect "$1" >/dev/null 2>&1; }

if ! engine; then
    if ! command -v dockerd >/dev/null; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "check.sh: there is no Docker engine, and none can be installed: start one" >&2; exit 1; }
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io busybox-static >/dev/null
    fi
    # The engine doesn't change the host's network; builds and containers use it as it is.
    log=$(mktemp)
    dockerd --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$log" 2>&1 &
    daemon=$!
    trap 'kill "$daemon"; wait "$daemon" || :' EXIT
    tries=0
    until engine; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! kill -0 "$daemon" 2>/dev/null; then cat "$log" >&2; exit 1; fi
        sleep 1
    done
fi
# The newer client needs a plugin to build; Debian's doesn't.
"$docker" buildx version >/dev/null 2>&1 || docker=/usr/bin/docker

image=golang:$(go env GOVERSION | sed 's/^go\([0-9]*\.[0-9]*\).*/\1/')
if ! builder "$image" && ! timeout 60 "$docker" pull -q "$image" >/dev/null 2>&1; then
    image=platform-oauth/go-standin:$(go env GOVERSION)
    builder "$image" || DOCKER=$docker deployments/docker/standin.sh "$image" >/dev/null
fi
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
version=${version#v}
make --no-print-directory build images VERSION="$version" DOCKER="$docker" GO_IMAGE="$image" DOCKERFLAGS="--network=host -q"
# The tests run on the engine's machine; the containers use the host's network.
DOCKER=$docker IMAGE_TAG=$version go test -vet=off -count=1 -tags nomsgpack,images ./deployments/docker
