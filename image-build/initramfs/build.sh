#!/bin/bash
# Makes the initramfs of a root: busybox, the modules of `modules` with what they depend on, and `init`.
# Half a second on any machine, where initramfs-tools under emulation takes minutes. Usage: build.sh ROOT KERNEL BUSYBOX OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 kernel=$2 busybox=$3 out=$(realpath -m "$4")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,modules,proc,sys,dev,new}
cp "$busybox" "$work/bin/busybox"
chmod 755 "$work/bin/busybox"
while read -r module; do
    modprobe -d "$root" -S "$kernel" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" {print $2}' || true
done <"$here/modules" | awk '!seen[$0]++' | while read -r file; do
    name=$(basename "$file" | sed 's/\.ko.*//')
    case $file in
        *.xz) xz -dc "$file" ;;
        *.zst) zstd -qdc "$file" ;;
        *) cat "$file" ;;
    esac >"$work/modules/$name.ko"
    echo "$name" >>"$work/modules/order"
done
grep -qx ext4 "$work/modules/order" || { echo "the root $root has no module ext4 for $kernel" >&2; exit 1; }
install -m 755 "$here/init" "$work/init"
find "$work" -exec touch -hd "@${SOURCE_DATE_EPOCH:-0}" {} +
(cd "$work" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null -o -H newc -R 0:0 --reproducible) | zstd -q -10 >"$out"
