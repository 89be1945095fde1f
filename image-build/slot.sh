#!/bin/bash
# Makes one slot: the cached root, our package, the files of `files/`, and a kernel with its initramfs, as an ext4 image
# that is the same to the byte for the same inputs. Usage: slot.sh OUT_FOLDER [KEYRING.pem]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
keyring=$2
read -r version epoch < <("$here/version.sh")
export SOURCE_DATE_EPOCH=$epoch

# OFFHOOK_ROOT names a root that was built before, for work without a network; else it is the one of today's packages.
archive=${OFFHOOK_ROOT:-$("$here/root/build.sh")}
deb=$("$here/deb/build.sh" "$out")
"$here/root/emulation.sh"

work=$(mktemp -d "$out/slot.XXXXXX")
root=$work/root
mkdir "$root"
trap 'rm -rf --one-file-system "$work"' EXIT
zstd -qdc "$archive" | tar -C "$root" --numeric-owner --xattrs --xattrs-include='*' -xpf -
kernel=$(ls "$root/usr/lib/modules")

cp -r --no-preserve=ownership "$here/files/." "$root/"
install -m 644 "$keyring" "$root/etc/rauc/keyring.pem"
systemd-sysusers --root="$root" 00-offhook-ids.conf

# dpkg runs emulated, what it starts does not; byte-compiling each file of the wheels is left out there.
cp "$deb" "$root/tmp/offhook.deb"
"$here/root/extract-hook.sh" "$root"
chroot "$root" env DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io -i /tmp/offhook.deb >/dev/null
"$here/root/undo-hook.sh" "$root"
rm "$root/tmp/offhook.deb"
loose=$(awk -F: '$1 ~ /^offhook/ && $3 >= 420 {print $1}' "$root/etc/passwd")
[ -z "$loose" ] || { echo "files/usr/lib/sysusers.d/00-offhook-ids.conf names no number for: $loose" >&2; exit 1; }

"$here/root/compile.sh" "$root" /usr/lib/offhook/python

# What starts is said by the presets; what would write to a read-only root, or is of no use on it, never does.
systemctl --root="$root" preset-all >/dev/null 2>&1
for unit in systemd-hwdb-update.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service getty@tty1.service serial-getty@.service systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-update-done.service ldconfig.service; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
# It would open ssh on a local socket and, in a virtual machine, on vsock, with or without a key of the admin's.
mkdir -p "$root/etc/systemd/system-generators"
ln -sfn /dev/null "$root/etc/systemd/system-generators/systemd-ssh-generator"
ln -sfn /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
ln -sfn /run/offhook-box/hostname "$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.11.0.1 offhook.local offhook\n' >"$root/etc/hosts"
: >"$root/etc/machine-id"
# The options of apt on the machine that built the root.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap"
rm -f "$root"/etc/nginx/sites-enabled/default
# The page's https, as the project sets it up everywhere.
if [ -x "$here/nginx.sh" ]; then "$here/nginx.sh" "$root"; fi
mkdir -p "$root/data"
echo "$version" >"$root/usr/lib/offhook-box/version"
cat >"$root/usr/lib/os-release" <<END
NAME=Offhook
ID=offhook
ID_LIKE=debian
PRETTY_NAME="Offhook $version"
VERSION_ID=$version
IMAGE_VERSION=$version
END

"$here/initramfs/build.sh" "$root" "$kernel" "$root/usr/bin/busybox" "$root/boot/initrd.img"
mv "$root/boot/vmlinuz-$kernel" "$root/boot/vmlinuz"
rm -rf "$root"/boot/firmware "$root"/boot/initrd.img-* "$root"/vmlinuz* "$root"/initrd.img*
# The boot partition's own parts leave the slot; image.sh takes them from here.
rm -rf "$out/boot-parts"
mkdir "$out/boot-parts"
cp "$root"/usr/lib/raspi-firmware/{bootcode.bin,start.elf,start4.elf,fixup.dat,fixup4.dat} "$root/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$out/boot-parts/"
cp "$root"/usr/lib/linux-image-"$kernel"/broadcom/bcm27*.dtb "$out/boot-parts/"
rm -rf "$root/usr/lib/raspi-firmware" "$root/usr/lib/u-boot" "$root"/usr/lib/linux-image-* "$root"/boot/System.map-* "$root"/boot/dtb*
rm -rf "$root"/var/log/* "$root"/var/cache/* "$root"/var/lib/apt/* "$root"/var/tmp/* "$root"/tmp/* "$root"/run/* \
    "$root"/var/lib/systemd/deb-systemd-helper-* "$root"/usr/share/doc/*/changelog*
mkdir -p "$root"/var/cache/nginx "$root"/var/log/nginx

python3 "$here/sbom.py" "$root" "$version" "$epoch" >"$out/offhook-$version.cdx.json"
cp "$root/usr/share/image-packages.tsv" "$out/offhook-$version.packages.tsv"

find "$root" -newermt "@$epoch" -exec touch -hd "@$epoch" {} +
used=$(du -sm --apparent-size "$root" | cut -f1)
size=$(((used * 115 / 100 + 63) / 16 * 16))
image=$out/slot-$version.ext4
rm -f "$image"
E2FSPROGS_FAKE_TIME=$epoch mke2fs -q -t ext4 -O '^orphan_file,^metadata_csum_seed,^has_journal' -L offhook-root -m 0 -b 4096 -N 65536 \
    -U 0ff00c01-0000-4000-8000-000000000001 -E "hash_seed=0ff00c01-0000-4000-8000-000000000002,root_owner=0:0" \
    -d "$root" "$image" "${size}M" >/dev/null
python3 "$here/ext4_times.py" "$image" "$epoch"
# Nothing of the disk this was built on: a container of it, as root left it, comes out the same.
echo "$image"
