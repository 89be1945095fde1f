#!/bin/bash
# Builds the root of the image from Debian packages, or takes the one in the cache that was made from the same inputs.
# Prints the path of the archive. Needs root (chroot and mounts), no loop device.
#
# The key is a hash of every file that decides about the root and of the versions that the archive has today: a cached
# root is never older than its packages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
suite=$(cat "$here/suite")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-image
mkdir -p "$cache"

versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
"$here/resolve.sh" "$suite" >"$versions"
[ -s "$versions" ] || { echo "no package of $suite could be found: is the network there?" >&2; exit 1; }
key=$(cat "$versions" "$here"/{suite,preferences,dpkg.cfg,build.sh,extract-hook.sh,undo-hook.sh,finish-hook.sh,compile.sh} \
    "$here/../packages.txt" | sha256sum | cut -c1-16)
archive=$cache/root-$key.tar.zst
if [ "${1:-}" = --path ]; then echo "$archive"; exit; fi
if [ ! -e "$archive" ]; then
    echo "Building the root $key from $(wc -l <"$versions") packages" >&2
    "$here/emulation.sh"
    options=()
    while read -r line; do
        case $line in '' | '#'*) ;; *) options+=(--dpkgopt="$line") ;; esac
    done <"$here/dpkg.cfg"
    for file in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry*; do
        [ ! -e "$file" ] || options+=(--aptopt="$file")
    done
    partial=$archive.$$
    trap 'rm -f "$versions" "$partial"' EXIT
    python3 "$here/../sources.py" "$suite" |
        INITRD=No SOURCE_DATE_EPOCH=0 mmdebstrap --quiet --mode=root --architectures=arm64 --variant=essential --format=tar \
            --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
            --aptopt='Acquire::Check-Valid-Until "false"' "${options[@]}" \
            --setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"; cp '$here/preferences' \"\$1/etc/apt/preferences.d/image\"" \
            --include="$(grep -v '^#' "$here/../packages.txt" | paste -sd,)" \
            --extract-hook="$here/extract-hook.sh" \
            --customize-hook="$here/finish-hook.sh" --customize-hook="$here/undo-hook.sh" \
            --customize-hook="'$here/compile.sh' \"\$1\" /usr/lib/python3.13 /usr/lib/python3/dist-packages" \
            "$suite" - - | zstd -q -T0 -6 >"$partial"
    mv "$partial" "$archive"
    cp "$versions" "${archive%.tar.zst}.versions"
    # Two older ones stay: a branch and main may differ in their packages.
    ls -t "$cache"/root-*.tar.zst | tail -n +4 | while read -r old; do rm -f "$old" "${old%.tar.zst}.versions"; done
fi
echo "$archive"
