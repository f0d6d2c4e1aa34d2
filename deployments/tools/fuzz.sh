#!/usr/bin/env bash
# Fuzzes every target for FUZZTIME (10s; 500x are 500 inputs), and fails when one fails;
# Go then leaves the input in the package's testdata/fuzz. With KEEP=N it also copies there
# the N inputs per target that last reached new code, which every test run tries again.
# `make fuzz` calls it.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=()
while IFS=: read -r file target; do
    package=$(dirname "$file")
    echo "fuzz $package $target"
    (cd "$package" && go test -vet=off -tags nomsgpack -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" .) ||
        failed+=("$package $target")

    if [[ -n ${KEEP:-} ]]; then
        found=$(go env GOCACHE)/fuzz/$(cd "$package" && go list -tags nomsgpack .)/$target
        mkdir -p "$package/testdata/fuzz/$target"
        # Long inputs are hard to read, and rarely reach more than short ones.
        [[ ! -d $found ]] || find "$found" -type f -size -3 -printf '%T@ %p\n' | sort -rn | sed -n "1,${KEEP}p" | cut -d' ' -f2- |
            xargs -r cp -t "$package/testdata/fuzz/$target"
    fi
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' api libs services deployments | sed 's/func //' | sort)

if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'fuzz: FAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
