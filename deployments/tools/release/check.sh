#!/usr/bin/env bash
# Proves that a release depends on nothing but the commit: makes it twice, from two clones
# in different folders, in different time zones and under different umasks, and compares
# the checksums. COLD=1 gives the second one an empty build cache, which takes minutes.
# `make release-check` builds what it needs and runs it.
set -euo pipefail
cd "$(dirname "$0")/../../.."

commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

copy() { # copy FOLDER: make the release in a clone there
    git clone -q "$PWD" "$1/clone"
    git -C "$1/clone" checkout -q --detach "$commit"
    mkdir -p "$1/clone/bin/tools"
    cp bin/tools/{helm,cyclonedx-gomod,release} "$1/clone/bin/tools/"
    make --no-print-directory -C "$1/clone" release RELEASE="$1/out" VERSION=0.0.0-rc.1 PLATFORMS="$PLATFORMS"
}

(umask 022; TZ=UTC copy "$work/a")
[[ -z ${COLD:-} ]] || export GOCACHE=$work/cache
(umask 077; TZ=Asia/Kathmandu copy "$work/somewhere/else/b")

diff "$work/a/out/SHA256SUMS" "$work/somewhere/else/b/out/SHA256SUMS"
(cd "$work/a/out" && sha256sum --quiet -c SHA256SUMS)
(cd "$work/somewhere/else/b/out" && sha256sum --quiet -c SHA256SUMS)
echo "release-check: two runs gave the same $(wc -l <"$work/a/out/SHA256SUMS") files, byte for byte"
