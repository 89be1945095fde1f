#!/bin/sh
# Lets this machine's own binaries do the work of the chroot's emulated ones while the root is built: shells, perl and
# the small tools that maintainer scripts start by the thousand, and dpkg-deb. dpkg itself stays: it knows its own
# architecture. A diversion keeps dpkg from writing over them; undo-hook.sh takes all of it away again.
# Usage: extract-hook.sh ROOT (an --extract-hook of mmdebstrap)
set -eu
root=$1
machine=$(uname -m)
libraries=$root/usr/lib/$machine-linux-gnu
mkdir -p "$libraries" "$root/var/lib/dpkg" "$root/usr/share/build-native"
list=$root/usr/share/build-native/list
: >"$list"

divert() { # PATH: dpkg puts what packages bring for it beside it, as PATH.distrib
    printf '%s\n%s.distrib\n:\n' "$1" "$1" >>"$root/var/lib/dpkg/diversions"
    echo "$1" >>"$list"
    if [ -e "$root$1" ] || [ -L "$root$1" ]; then mv "$root$1" "$root$1.distrib"; fi
}

# binfmt's handler is loaded beforehand (flag F), so what runs natively needs its own loader and libraries in there.
loader=$(ldd /bin/dash | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p')
mkdir -p "$root$(dirname "$(realpath -s "$loader")" | sed 's#^/lib64#/usr/lib64#')"
[ -e "$root/lib64" ] || ln -s usr/lib64 "$root/lib64"
cp -L "$loader" "$root$loader"

tools="dash bash dpkg-deb perl grep sed find xargs mawk tar gzip
    cat chgrp chmod chown cp cut date dirname basename echo env expr head id install ln ls md5sum mkdir mktemp mv
    printf readlink realpath rm rmdir sha256sum sort stat tail touch tr true uname uniq wc"
for tool in $tools; do
    path=$(command -v "$tool" || true)
    # Only what both sides have at the same place; a shell's builtin has no path.
    case $tool in dash | bash | cat | chgrp | chmod | chown | cp | date | echo | grep | sed | ln | ls | mkdir | mktemp | \
        mv | readlink | rm | rmdir | tar | gzip | touch | true | uname) path=/bin/$tool ;;
    *) path=/usr/bin/$tool ;; esac
    [ -x "$path" ] || continue
    divert "/usr/bin/$tool"
    cp -L "$path" "$root/usr/bin/$tool"
    ldd "$path" | awk '$3 ~ /^\// {print $3}' | while read -r library; do cp -Ln "$library" "$libraries/"; done
done
cp -R "/usr/lib/$machine-linux-gnu/perl-base" "$libraries/"

# Each of these runs for seconds under emulation, dozens of times, and needs to run once at the end or not at all.
for stub in /usr/bin/py3compile /usr/bin/py3clean /usr/bin/systemd-hwdb /usr/sbin/depmod /usr/bin/python3.13; do
    divert "$stub"
    printf '#!/bin/sh\nexit 0\n' >"$root$stub"
    chmod 755 "$root$stub"
done
