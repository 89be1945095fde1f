#!/bin/sh
# Builds the test kernel (User-Mode Linux: Linux as an ordinary program, no root and no KVM needed) from Debian's kernel
# source with kernel.config and uml.patch, once; prints the folder it is in. 10 to 30 minutes on two cores, 2 GB of disk.
#
# The kernel is GPL-2.0: whoever passes the binary on passes on this folder and the Debian source package with it
# (`apt-get source linux`); the build leaves the package's version in the file `source` beside the binary.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-vm
package=linux-source-6.12

version=$(apt-cache policy $package | sed -n 's/^  Candidate: //p')
if [ -z "$version" ] || [ "$version" = "(none)" ]; then
    echo "build.sh: apt knows no $package here (Debian 12 has it in its security or backports suite): run apt-get update," >&2
    echo "build.sh: or name a folder with a built kernel in OFFHOOK_TEST_KERNEL" >&2
    exit 1
fi
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-$ID}")
key=$({ cat "$here/kernel.config" "$here/uml.patch" "$here/build.sh"; echo "$version $suite $(uname -m)"; } | sha256sum | cut -c1-16)
done=$cache/$key
if [ -e "$done/linux" ]; then
    echo "$done"
    exit 0
fi

missing=
for program in flex bison m4 bc gcc make xz patch depmod; do
    command -v $program >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
    echo "build.sh: these programs are missing:$missing (packages: $(grep -v '^#' "$here/../../setup/packages-vm.txt" | tr '\n' ' '))" >&2
    exit 1
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/build-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
echo "build.sh: building $package $version for User-Mode Linux (10 to 30 minutes); the log is $cache/build.log" >&2
exec 3>&1 >"$cache/build.log" 2>&1
apt-get download "$package=$version"
dpkg-deb --fsys-tarfile ./*.deb | tar xO ./usr/src/$package.tar.xz | tar xJ
cd $package
patch -p1 <"$here/uml.patch"
sed -i '/^config HZ$/,/^config /s/default 100$/default 1000/' arch/um/Kconfig
grep -q 'default 1000$' arch/um/Kconfig
make ARCH=um x86_64_defconfig
ARCH=um scripts/kconfig/merge_config.sh -m .config "$here/kernel.config"
make ARCH=um olddefconfig
# A wish that Kconfig did not grant would only be noticed by a test that skips.
for wish in $(grep -o '^CONFIG_[A-Z0-9_]*=[ym]' "$here/kernel.config"); do
    grep -q "^$wish$" .config || { echo "not granted: $wish"; refused=yes; }
done
[ -z "${refused:-}" ] || exit 1
make ARCH=um -j"$(nproc)" linux modules
make ARCH=um INSTALL_MOD_PATH="$work/tree" INSTALL_MOD_STRIP=1 modules_install
mkdir "$work/done"
cp linux .config "$work/done/"
rm -f "$work"/tree/lib/modules/*/build "$work"/tree/lib/modules/*/source
tar cJf "$work/done/modules.tar.xz" -C "$work/tree" lib
echo "$package $version, kernel.config and uml.patch of Offhook; GPL-2.0-only" >"$work/done/source"
mv -T "$work/done" "$done" 2>/dev/null || [ -e "$done/linux" ]
exec >&3
echo "$done"
