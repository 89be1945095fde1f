#!/bin/sh
# Takes Offhook off this machine. Recordings and settings in /var/lib/offhook stay; `--with-data` deletes them too.
set -eu
root=${DESTDIR:-}
root=${root%/}
with_data=no
case "${1:-}" in
    "") ;;
    --with-data) with_data=yes ;;
    *) echo "usage: uninstall.sh [--with-data]" >&2; exit 2 ;;
esac
if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    exec sudo "$0" "$@"
fi

units="offhook-poweroff.path offhook-reboot.path offhook-clock.path offhook-clock.service offhook-usb-power.path offhook-usb-power.service \
offhook-janitor.timer offhook-janitor.service offhook-web.service offhook-sync.service \
offhook-recorder.service \
offhook-migrate.service"
if [ -z "$root" ]; then
    # shellcheck disable=SC2086 # a list
    systemctl disable --now --quiet $units offhook-certificate.service 2>/dev/null || true
fi
for unit in $units; do
    rm -f "$root/etc/systemd/system/$unit"
done
rm -f "$root/etc/sysusers.d/offhook.conf" "$root/etc/tmpfiles.d/offhook.conf" "$root/etc/udev/rules.d/70-offhook.rules"
rm -f "$root/etc/systemd/system/offhook-certificate.service" "$root/etc/systemd/system/offhook-web.service.d/https.conf" \
    "$root/etc/systemd/system/nginx.service.d/offhook.conf" "$root/etc/nginx/sites-enabled/offhook.conf"
rmdir "$root/etc/systemd/system/offhook-web.service.d" "$root/etc/systemd/system/nginx.service.d" 2>/dev/null || true
rm -f "$root/usr/local/bin/offhook"
rm -rf "$root/opt/offhook" "$root/var/cache/offhook-web"
if [ -z "$root" ]; then
    systemctl daemon-reload
    udevadm control --reload
    systemctl try-reload-or-restart nginx || true
fi
if [ "$with_data" = yes ]; then
    rm -rf "$root/var/lib/offhook" "$root/etc/offhook"
else
    echo "Recordings, calls and settings are still in $root/var/lib/offhook, the keys of https in $root/etc/offhook; the users offhook-* are still there too."
fi
