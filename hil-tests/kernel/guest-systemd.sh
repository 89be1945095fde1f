#!/bin/bash
# In the guest: the box's real units under a real systemd as PID 1, with the kernel's own software watchdog as the
# machine's. The units find this checkout where the package would be.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount --make-rprivate / 2>/dev/null
if [ -e /run/host/hung ]; then # the watchdog has reset the machine
    touch /run/host/reset
    poweroff -f
fi
source /run/host/command # project=...
"$project/systemd/install.sh" --root /.
mkdir -p /opt/offhook/app /opt/offhook/venv/bin /opt/offhook/packages
mount --bind "$project" /opt/offhook/app # a checkout may lie in a home, which the units cannot see
mount --bind "$project/.venv/lib" /opt/offhook/packages
cat >/opt/offhook/venv/bin/offhook <<END
#!/bin/sh
export PYTHONPATH=/opt/offhook/app:$(echo /opt/offhook/packages/python3*/site-packages) PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -m cli.main "\$@"
END
chmod 755 /opt/offhook/venv/bin/offhook
install -D -m 644 "$project/image-build/files/etc/systemd/system.conf.d/offhook.conf" /etc/systemd/system.conf.d/offhook.conf
systemd-sysusers offhook.conf
systemd-tmpfiles --create offhook.conf
rm -f /etc/fstab /etc/machine-id /.dockerenv # the host's
touch /etc/machine-id
cat >/etc/systemd/system/watchdogs.service <<END
[Unit]
After=sysinit.target
Wants=sysinit.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 $project/hil-tests/kernel/watchdogs_guest.py
END
exec /lib/systemd/systemd --unit=watchdogs.service --show-status=no
