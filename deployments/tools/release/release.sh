#!/usr/bin/env bash
# Makes everything that a version publishes in one folder. `make release` calls it with
#
#   VERSION        the version, without the v of its tag
#   COMMIT         the commit that is built
#   RELEASE        the folder
#   PLATFORMS      GOOS/GOARCH of the programs, separated by spaces
#   IMAGES DOCKER  as in `make images`
#
# The same commit and the same Go give the same bytes; check.sh proves it.
set -euo pipefail
cd "$(dirname "$0")/../../.."
umask 022

fail() { echo "release: $*" >&2; exit 1; }

[[ $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.[0-9]+)?$ ]] ||
    fail "$VERSION is not a version: tag the commit, as in v1.2.3, or try with VERSION=0.0.0-rc.1"
[[ $VERSION == *-* ]] || grep -q "^## $VERSION " CHANGELOG.md || fail "CHANGELOG.md has no section for $VERSION"
[[ -z $(git status --porcelain) ]] || fail "there are changes that no commit holds: commit or stash them"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

rm -rf "$RELEASE"
mkdir -p "$RELEASE"
out=$(cd "$RELEASE" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "release: third-party notices"
bin/tools/release notices -tags nomsgpack -platforms "$PLATFORMS" \
    ./deployments/platform ./services/{authorize,token,device,session,keys}/cmd/... >"$out/THIRD-PARTY-NOTICES.txt"

# Each program names the modules it links, so its bill of materials is read from it. The
# modules are in Go's cache by now; the network isn't asked for them, nor for our own.
materials() {
    local program
    for program in "$1"/*; do
        [[ -x $program ]] || continue
        GOPROXY=off bin/tools/cyclonedx-gomod bin -json -noserial -notimestamp -licenses -std -version "$VERSION" \
            -output "$2/$(basename "$program")-$VERSION.cdx.json" "$program" 2>"$work/log" || { cat "$work/log" >&2; return 1; }
    done
    # Modules of a workspace have no version of their own: theirs is the release's.
    sed -i.bak "s/@(devel)/@$VERSION/g; s/\"version\": \"(devel)\"/\"version\": \"$VERSION\"/" "$2"/*.cdx.json
    rm "$2"/*.bak
}

first=true
for platform in $PLATFORMS; do
    echo "release: programs for $platform"
    folder="$work/platform-oauth-$VERSION-${platform/\//-}"
    mkdir "$folder"
    GOOS=${platform%/*} GOARCH=${platform#*/} make --no-print-directory build BIN="$folder" VERSION="$VERSION" COMMIT="$COMMIT" >/dev/null

    if $first; then
        echo "release: bills of materials"
        materials "$folder" "$out"
        first=false
    fi

    cp LICENSE CHANGELOG.md "$out/THIRD-PARTY-NOTICES.txt" "$folder/"
    bin/tools/release archive -out "$out/$(basename "$folder").tar.gz" "$folder"
done

echo "release: chart"
bin/tools/helm package --version "$VERSION" --app-version "$VERSION" -d "$out" charts/platform-oauth >/dev/null
mv "$out/platform-oauth-$VERSION.tgz" "$out/platform-oauth-chart-$VERSION.tgz"
bin/tools/release repack "$out/platform-oauth-chart-$VERSION.tgz"

if engine=$("$DOCKER" version --format '{{.Server.Os}}-{{.Server.Arch}}' 2>/dev/null); then
    make --no-print-directory images VERSION="$VERSION" COMMIT="$COMMIT" IMAGE_TAG="$VERSION"
    for image in platform authorize token device session keys; do
        "$DOCKER" save -o "$work/image.tar" "$IMAGES$image:$VERSION"
        bin/tools/release image -out "$out/$image-image-$VERSION-$engine.tar" "$work/image.tar"
    done
else
    echo "release: NO IMAGES: $DOCKER reaches no engine; start one and run this again before you publish"
fi

(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
echo "release: $VERSION is in $RELEASE"
