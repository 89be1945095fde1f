#!/bin/sh
# Takes away what extract-hook.sh put in, and does once what its stubs left undone. Usage: undo-hook.sh ROOT
set -eu
root=$1
while read -r path; do
    rm -f "$root$path"
    [ ! -e "$root$path.distrib" ] || mv "$root$path.distrib" "$root$path"
done <"$root/usr/share/build-native/list"
: >"$root/var/lib/dpkg/diversions"
rm -rf "$root/usr/share/build-native" "$root/usr/lib/$(uname -m)-linux-gnu" "$root/usr/lib64" "$root/lib64"
for kernel in "$root"/usr/lib/modules/*; do depmod -b "$root" "$(basename "$kernel")"; done
left=$(find "$root/usr" "$root/etc" -name '*.distrib' | head -3)
[ -z "$left" ] || { echo "left over from the build: $left" >&2; exit 1; }
