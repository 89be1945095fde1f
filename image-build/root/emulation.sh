#!/bin/bash
# Lets this machine run arm64 programs in a chroot, by qemu-user; a container may not have it set up yet.
set -euo pipefail
[ "$(uname -m)" != aarch64 ] || exit 0
misc=/proc/sys/fs/binfmt_misc
[ -e $misc/register ] || mount -t binfmt_misc binfmt_misc $misc
[ -e $misc/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$misc/register
