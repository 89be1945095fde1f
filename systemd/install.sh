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
image=$source/image-build/files
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
    lay_https
    mkdir -p "$root/usr/local/bin"
    ln -sfn "$home/venv/bin/offhook" "$root/usr/local/bin/offhook"
}

# https as in the image, from the image's own files; only where things lie is different on a Debian of somebody's own.
lay_https() {
    lay "$image/usr/lib/offhook-box/certificate" $home/certificate
    mkdir -p "$root/etc/offhook"
    sed -e "s#^ExecStart=.*#Environment=OFFHOOK_TLS=/etc/offhook/tls\nExecStart=/bin/sh $home/certificate#" \
        -e 's#^ReadWritePaths=.*#ReadWritePaths=/etc/offhook#' -e '/^After=offhook-first-start/d' \
        "$image/usr/lib/systemd/system/offhook-certificate.service" >"$draft"
    lay "$draft" /etc/systemd/system/offhook-certificate.service
    sed -e "s#=/usr/bin/offhook#=$home/venv/bin/offhook#" -e '/^# What the page wishes/d' \
        -e 's#^Environment=OFFHOOK_WIFI_WISH=.*#Environment=OFFHOOKCA=/etc/offhook/tls/ca.pem#' \
        "$image/etc/systemd/system/offhook-web.service.d/box.conf" >"$draft"
    lay "$draft" /etc/systemd/system/offhook-web.service.d/https.conf
    # What else may serve here keeps its rights: of the image's lines only those that make it wait for the certificate.
    sed '/^\[Service\]/,$d' "$image/etc/systemd/system/nginx.service.d/box.conf" >"$draft"
    lay "$draft" /etc/systemd/system/nginx.service.d/offhook.conf
    sed 's#/data/state/tls#/etc/offhook/tls#' "$image/etc/nginx/sites-enabled/offhook.conf" >"$draft"
    # nginx before 1.25.1 (Debian 12) has HTTP/2 as a word of `listen`.
    case $(nginx -v 2>&1) in
        */1.[0-9].* | */1.1[0-9].* | */1.2[0-4].* | */1.25.0*) sed -i -e 's/listen \(.*\)443 ssl/& http2/' -e '/http2 on;/d' "$draft" ;;
    esac
    lay "$draft" /etc/nginx/sites-enabled/offhook.conf
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
    systemctl enable --quiet $enabled offhook-certificate.service
    if [ "$changed" = yes ]; then
        # The schema may change: nobody has the database open meanwhile. Calls that are up are recorded on afterwards.
        systemctl stop offhook-janitor.timer offhook-web offhook-sync offhook-recorder offhook-migrate
    fi
    systemctl start offhook-clock.path offhook-usb-power.path
    systemctl start offhook-migrate offhook-recorder offhook-web offhook-sync offhook-janitor.timer
    start_https
}

start_https() {
    # Debian's page of welcome would answer in the place of ours; a site of somebody's own stays.
    if [ "$(readlink /etc/nginx/sites-enabled/default 2>/dev/null)" = /etc/nginx/sites-available/default ]; then
        rm /etc/nginx/sites-enabled/default
    fi
    systemctl start offhook-certificate
    nginx -q -t || { echo "nginx does not take its settings (above); until it does there is no page." >&2; exit 1; }
    systemctl enable --quiet nginx
    systemctl reload-or-restart nginx || { echo "nginx does not start: is something else at port 80 or 443?" >&2; exit 1; }
}

report() {
    echo "Offhook runs. Its parts: systemctl status 'offhook-*'; its log: journalctl -u 'offhook-*'"
    if [ -r /run/offhook/first-run-code ]; then
        echo "First-run code of the page: $(cat /run/offhook/first-run-code)"
    fi
    echo "The page: https://$(hostname).local/ or https://$(hostname -I | cut -d' ' -f1)/ (a browser warns until it trusts"
    echo "this machine's own authority: open /trust there, or install /etc/offhook/tls/ca.pem)"
    echo "A person who may use the command line: adduser NAME offhook"
}

draft=$(mktemp)
trap 'rm -f "$draft"' EXIT
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
for package in nginx-light openssl; do
    command -v "${package%-light}" >/dev/null || apt-get install -y -q --no-install-recommends "$package"
done
build_release
lay_files
start
report
