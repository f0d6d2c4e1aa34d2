#!/bin/sh
# Makes an image that replaces golang:1.26 if no registry can be reached. It has
# busybox as the shell, this machine's Go and this machine's CA certificates. The
# Dockerfile builds with it unchanged.
#
#   deployments/docker/standin.sh NAME
set -eu
name=$1
docker=${DOCKER:-docker}
busybox=$(command -v busybox) || { echo "standin.sh: busybox is missing: install the package busybox-static" >&2; exit 1; }
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/usr/local" "$root/etc/ssl/certs" "$root/tmp" "$root/root" "$root/go"
chmod 1777 "$root/tmp"
cp -L "$busybox" "$root/bin/busybox"
for applet in sh mkdir cp rm ls cat env uname; do ln -s busybox "$root/bin/$applet"; done
cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
# pkg holds the output of `go install std`, which the compiler doesn't need.
tar -C "$(go env GOROOT)/.." --exclude="$(basename "$(go env GOROOT)")/pkg/mod" --exclude="$(basename "$(go env GOROOT)")/test" \
    --transform "s,^$(basename "$(go env GOROOT)"),usr/local/go," -cf "$root.tar" "$(basename "$(go env GOROOT)")"
trap 'rm -rf "$root" "$root.tar"' EXIT
tar -C "$root" -rf "$root.tar" bin etc tmp root go
"$docker" import --change 'ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local' "$root.tar" "$name"
