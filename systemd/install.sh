#!/bin/sh
# Installs Offhook on Debian or Raspberry Pi OS and starts it; again to upgrade. `--root DIR` (or DESTDIR=DIR) only lays
# the files out under DIR, for an image: no user is made, nothing is built and nothing is started.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
root=${DESTDIR:-}
if [ "${1:-}" = --root ]; then
    root=${2:?usage: install.sh [--root DIR]}
elif [ $# -gt 0 ]; then
    echo "usage: install.sh [--root DIR]" >&2
    exit 2
fi
root=${root%/}

home=/opt/offhook
enabled="offhook-migrate.service offhook-recorder.service offhook-web.service offhook-sync.service offhook-janitor.timer
    offhook-poweroff.path offhook-clock.path offhook-reboot.path offhook-usb-power.path"
units="$enabled offhook-janitor.service offhook-clock.service offhook-usb-power.service"
changed=no

# A file is only replaced when it differs, and never half-written.
lay() { # SOURCE TARGET
    target=$root$2
    cmp -s "$1" "$target" && return
    mkdir -p "$(dirname "$target")"
    install -m 0644 "$1" "$target.new"
    mv -f "$target.new" "$target"
    changed=yes
}

lay_files() {
    for unit in $units; do
        lay "$here/$unit" "/etc/systemd/system/$unit"
    done
    lay "$here/sysusers.d/offhook.conf" /etc/sysusers.d/offhook.conf
    lay "$here/tmpfiles.d/offhook.conf" /etc/tmpfiles.d/offhook.conf
    lay "$here/udev/70-offhook.rules" /etc/udev/rules.d/70-offhook.rules
    mkdir -p "$root/usr/local/bin"
    ln -sfn "$home/venv/bin/offhook" "$root/usr/local/bin/offhook"
}

# Each release has its own folder, complete before the link `venv` points to it.
build_release() {
    key=$(cd "$source" && {
        cat requirements/build.txt requirements/runtime.txt pyproject.toml
        find cli firmware simulator sync webui -type f ! -name '*.pyc' | LC_ALL=C sort | xargs sha256sum
        "$python" --version
    } | sha256sum | cut -c1-12)
    release=$home/releases/$key
    if [ ! -e "$release/complete" ]; then
        echo "Building release $key in $release"
        rm -rf "$release"
        mkdir -p "$home/releases"
        "$python" -m venv "$release"
        pip="$release/bin/python -m pip install -q --disable-pip-version-check --no-cache-dir"
        $pip --require-hashes -r "$source/requirements/build.txt"
        $pip --require-hashes --no-build-isolation -r "$source/requirements/runtime.txt"
        # A copy: building leaves files beside the source, which may belong to somebody else.
        copy=$(mktemp -d)
        (cd "$source" && cp -r pyproject.toml README.md LICENSE THIRD-PARTY-NOTICES.md cli firmware simulator sync webui "$copy")
        $pip --no-deps --no-build-isolation "$copy"
        rm -rf "$copy"
        "$release/bin/python" -m compileall -q "$release/lib" || true
        touch "$release/complete"
    fi
    before=$(readlink "$home/venv" 2>/dev/null || true)
    if [ "$before" != "$release" ]; then
        [ -z "$before" ] || ln -sfn "$before" "$home/previous"
        ln -sfn "$release" "$home/venv.new"
        mv -T "$home/venv.new" "$home/venv"
        changed=yes
    fi
    # The release before this one stays, to go back to (point the link `venv` at it); older ones go.
    previous=$(readlink "$home/previous" 2>/dev/null || true)
    for old in "$home"/releases/*; do
        [ "$old" = "$release" ] || [ "$old" = "$previous" ] || rm -rf "$old"
    done
}

start() {
    systemd-sysusers offhook.conf
    systemd-tmpfiles --create offhook.conf
    udevadm control --reload
    udevadm trigger --subsystem-match=gpio --subsystem-match=usb --action=change
    systemctl daemon-reload
    # shellcheck disable=SC2086 # a list
    systemctl enable --quiet $enabled
    if [ "$changed" = yes ]; then
        # The schema may change: nobody has the database open meanwhile. Calls that are up are recorded on afterwards.
        systemctl stop offhook-janitor.timer offhook-web offhook-sync offhook-recorder offhook-migrate
    fi
    systemctl start offhook-clock.path offhook-usb-power.path
    systemctl start offhook-migrate offhook-recorder offhook-web offhook-sync offhook-janitor.timer
}

report() {
    echo "Offhook runs. Its parts: systemctl status 'offhook-*'; its log: journalctl -u 'offhook-*'"
    if [ -r /run/offhook/first-run-code ]; then
        echo "First-run code of the page: $(cat /run/offhook/first-run-code)"
    fi
    echo "The page listens on this machine only: http://127.0.0.1:8080/"
    echo "From another machine: ssh -L 8080:127.0.0.1:8080 $(id -un)@$(hostname), then open the same address there."
    echo "A person who may use the command line: adduser NAME offhook"
}

if [ -n "$root" ]; then
    lay_files
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run this as root: it adds users and services." >&2; exit 1; }
    exec sudo "$0"
fi
if ! command -v systemctl >/dev/null || ! command -v systemd-sysusers >/dev/null; then
    echo "This needs systemd (Debian 12 or newer, Raspberry Pi OS 12 or newer)." >&2
    exit 1
fi
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
    echo "$python is $("$python" --version); Offhook needs Python 3.11, 3.12 or 3.13 (set PYTHON to one)." >&2
    exit 1
}
build_release
lay_files
start
report
