#!/bin/bash
# Makes the signed update of a slot. Usage: bundle.sh FOLDER (as slot.sh left it)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
read -r version _ < <("$here/version.sh")
keys=$("$here/keys.sh")
work=$(mktemp -d "$out/bundle.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/content"
ln "$out/slot-$version.ext4" "$work/content/root.ext4" 2>/dev/null || cp "$out/slot-$version.ext4" "$work/content/root.ext4"
cat >"$work/content/manifest.raucm" <<END
[update]
compatible=offhook-arm64
version=$version

[bundle]
format=verity

[image.rootfs]
filename=root.ext4
END
bundle=$out/offhook-$version.raucb
rm -f "$bundle"
rauc --mksquashfs-args="-comp zstd -Xcompression-level ${OFFHOOK_BUNDLE_COMPRESSION:-6}" --cert "$keys/update.pem" --key "$keys/update.key" \
    --keyring "$keys/keyring.pem" bundle "$work/content" "$bundle" >/dev/null 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
echo "$bundle"
