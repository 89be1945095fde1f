#!/bin/bash
# Makes the image for a card from a slot: no loop device, no mount. Usage: image.sh FOLDER (as slot.sh left it)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
read -r version epoch < <("$here/version.sh")
export SOURCE_DATE_EPOCH=$epoch
slot=$out/slot-$version.ext4
work=$(mktemp -d "$out/image.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{in,root,tmp,boot}

cp "$out"/boot-parts/* "$work/boot/"
cp "$here/boot/config.txt" "$here/boot/README.txt" "$work/boot/"
mkimage -A arm64 -T script -C none -n offhook -d "$here/boot/boot.cmd" "$work/boot/boot.scr" >/dev/null
find "$work/boot" -exec touch -d "@$epoch" {} +
mkfs.vfat --invariant -i 0FF00C01 -n OFFHOOK -C "$work/in/boot.vfat" $((64 * 1024)) >/dev/null
(cd "$work/boot" && for file in *; do TZ=UTC mcopy -m -i "$work/in/boot.vfat" "$file" ::"$file"; done)

ln -s "$slot" "$work/in/slot.ext4"
python3 -c "import sys; sys.path.insert(0, '$here'); import state; sys.stdout.buffer.write(state.MARK.ljust(512, b'\0'))" >"$work/in/mark"
head -c 1M /dev/zero >"$work/in/data"
genimage --loglevel 1 --config "$here/genimage.cfg" --rootpath "$work/root" --tmppath "$work/tmp" --inputpath "$work/in" \
    --outputpath "$work"
mv "$work/offhook.img" "$out/offhook-$version.img"
zstd -q -f -T0 -"${OFFHOOK_COMPRESSION:-10}" "$out/offhook-$version.img" -o "$out/offhook-$version.img.zst"
(cd "$out" && sha256sum "offhook-$version.img.zst" >"offhook-$version.img.zst.sha256")
echo "$out/offhook-$version.img.zst"
