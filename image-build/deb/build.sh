#!/bin/bash
# Builds out/offhook_VERSION_arm64.deb from this checkout, on any machine: the Python packages are wheels for arm64, and
# nothing of ours is compiled. Usage: build.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$(mkdir -p "${1:-$top/out}" && cd "${1:-$top/out}" && pwd)
read -r version SOURCE_DATE_EPOCH < <("$here/../version.sh")
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
python=$root/usr/lib/offhook/python
doc=$root/usr/share/doc/offhook
mkdir -p "$python" "$doc" "$root"/usr/{bin,lib/{systemd/system,sysusers.d,tmpfiles.d,udev/rules.d},share/{man/man1,lintian/overrides}} \
    "$root/DEBIAN"

# The wheels, kept in the cache under the hash of what was asked for.
python3 "$here/requirements.py" "$top/requirements/runtime.txt" >"$work/requirements.txt"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-image
wheels=$cache/wheels-$(sha256sum <"$work/requirements.txt" | cut -c1-16)
if [ ! -e "$wheels" ]; then
    mkdir -p "$cache"
    "$top/.venv/bin/uv" pip install -q --no-cache --target "$wheels.$$" --python-platform aarch64-manylinux_2_28 \
        --python-version 3.13 --only-binary :all: --no-deps --require-hashes -r "$work/requirements.txt"
    # What only the machine that unpacked them knows.
    rm -rf "$wheels.$$"/{bin,.lock} "$wheels.$$"/*.dist-info/{RECORD,INSTALLER,REQUESTED,direct_url.json,uv_cache.json}
    mv -T "$wheels.$$" "$wheels"
fi
cp -a "$wheels/." "$python/"
# Tests and compilers' inputs of other people's packages; nothing of them runs on a box.
rm -rf "$python"/phonenumbers/{geodata,carrierdata,tzdata}
find "$python" \( -name tests -o -name __pycache__ \) -type d -prune -exec rm -rf {} +
find "$python" \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.a' -o -name '_*_tests.*.so' \) -delete

# Ours: what the wheel of this project holds, less the street outside.
ours=$(sed -n '/^\[tool.setuptools.packages.find\]/,/^include/s/^include = //p' "$top/pyproject.toml" | tr -d '[]",*')
copy=$work/source
mkdir "$copy"
# shellcheck disable=SC2086 # a list
(cd "$top" && git ls-files -z -- pyproject.toml README.md LICENSE THIRD-PARTY-NOTICES.md $ours |
    xargs -0 cp --parents -t "$copy")
"$top/.venv/bin/python" -m pip wheel -q --no-deps --no-build-isolation -w "$work" "$copy"
"$top/.venv/bin/python" -m zipfile -e "$work"/offhook-*.whl "$python"
rm -rf "$python/simulator" "$python/cli/commands/demo.py"
rm -f "$python"/offhook-*.dist-info/RECORD

install -m 755 "$here/offhook.py" "$root/usr/bin/offhook"
for unit in "$top"/systemd/*.{service,timer,path}; do
    sed 's#/opt/offhook/venv/bin/offhook#/usr/bin/offhook#' "$unit" >"$root/usr/lib/systemd/system/$(basename "$unit")"
done
install -m 644 "$top/systemd/sysusers.d/offhook.conf" "$root/usr/lib/sysusers.d/"
install -m 644 "$top/systemd/tmpfiles.d/offhook.conf" "$root/usr/lib/tmpfiles.d/"
install -m 644 "$top"/systemd/udev/*.rules "$root/usr/lib/udev/rules.d/"
[ ! -d "$top/systemd/nginx" ] || { mkdir -p "$root/usr/share/offhook" && cp -r "$top/systemd/nginx" "$root/usr/share/offhook/"; }
install -m 644 "$here/copyright" "$doc/copyright"
gzip -9n <"$top/THIRD-PARTY-NOTICES.md" >"$doc/THIRD-PARTY-NOTICES.md.gz"
printf 'offhook (%s) stable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n -- Offhook <offhook@packages.debian.org>  %s\n' \
    "$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
gzip -9n <"$here/offhook.1" >"$root/usr/share/man/man1/offhook.1.gz"
install -m 644 "$here/overrides" "$root/usr/share/lintian/overrides/offhook"

enabled=$(cd "$root/usr/lib/systemd/system" && grep -l '^\[Install\]' offhook-* | paste -sd' ')
for script in postinst prerm postrm; do
    sed "s/@ENABLED@/$enabled/" "$here/$script" >"$root/DEBIAN/$script"
    chmod 755 "$root/DEBIAN/$script"
done
find "$root/usr" -type d -exec chmod 755 {} +
find "$root/usr" -type f ! -path '*/usr/bin/*' -exec chmod 644 {} +
find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
sed "s/@VERSION@/$version/; s/@SIZE@/$(du -sk --apparent-size "$root/usr" | cut -f1)/" "$here/control.in" >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
dpkg-deb --build --root-owner-group -Zgzip -z6 "$root" "$out/offhook_${version}_arm64.deb" >/dev/null
echo "$out/offhook_${version}_arm64.deb"
