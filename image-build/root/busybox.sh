#!/bin/bash
# Prints the path of Debian's static busybox for arm64, for the initramfs; fetched once per version.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-image
mkdir -p "$cache"
version=$("$here/resolve.sh" "$(cat "$here/suite")" --version-of busybox-static)
file=$cache/busybox-$version
if [ ! -e "$file" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    "$here/resolve.sh" "$(cat "$here/suite")" --download busybox-static "$work"
    dpkg-deb --fsys-tarfile "$work"/busybox-static_*.deb | tar -xO ./usr/bin/busybox >"$file.$$"
    mv "$file.$$" "$file"
fi
echo "$file"
