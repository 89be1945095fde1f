#!/bin/sh
# The last word on the root before it is kept: nothing of the machine that built it, nothing that differs between two
# builds. Usage: finish-hook.sh ROOT
set -eu
root=$1
chroot "$root" dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' \
    >"$root/usr/share/image-packages.tsv"
chroot "$root" dpkg --audit
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/preferences.d/* \
    "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old \
    "$root"/var/log/* "$root"/etc/ssh/ssh_host_* "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/var/cache/ldconfig/*
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
