#!/bin/bash
# Byte-compiles folders of an arm64 root with this suite's own Python for the building machine: byte code is the same for
# every processor, and emulated it takes minutes. Usage: compile.sh ROOT FOLDER...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-image
version=$(sed -n 's/^Version: //p' <(sed -n '/^Package: python3.13-minimal$/,/^$/p' "$root/var/lib/dpkg/status"))
home=$cache/python-$(uname -m)-$(echo "$version" | tr -c 'A-Za-z0-9.\n' _)
if [ ! -e "$home/usr/bin/python3.13" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/root" "$work/debs"
    "$here/resolve.sh" "$(cat "$here/suite")" --download "$(dpkg --print-architecture)" "$work/debs" \
        "python3.13-minimal=$version" "libpython3.13-minimal=$version" "libpython3.13-stdlib=$version" libc6 libexpat1 zlib1g
    for deb in "$work"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -C "$work/root" --keep-directory-symlink -xf -; done
    rm -rf "$home"
    mv "$work/root" "$home"
fi
# In one process: others would be started without this loader, with the building machine's own, older libraries.
loader=$(find "$home/usr" -name 'ld-linux*' | head -1)
PYTHONHOME=$home/usr "$loader" --library-path "$home/usr/lib/$(uname -m)-linux-gnu" "$home/usr/bin/python3.13" -I -m compileall \
    -q --invalidation-mode unchecked-hash -s "$root" "${@/#/$root}"
