#!/bin/bash
# `make image`: the package, the slot, the image for a card and the signed update, all in out/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../out}
[ "$(id -u)" -eq 0 ] || { echo "Run this as root: it makes a Debian root, with chroot." >&2; exit 1; }
begun=$(date +%s)
keys=$("$here/keys.sh")
"$here/slot.sh" "$out" "$keys/keyring.pem" >&2
"$here/bundle.sh" "$out" >&2
"$here/image.sh" "$out"
echo "took $(($(date +%s) - begun)) s" >&2
