#!/bin/bash
# PID 1 of the test kernel. The root is this machine's own file system, read only; what is written goes to a layer in
# memory and is gone with the kernel. Only the folder `out` (hostfs, from the command line) is the host's to keep.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
word() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
out=$(word offhook.out) kernel=$(word offhook.kernel) next=$(word offhook.next)
mount -t tmpfs -o size=900m layer /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work" root /mnt/root
cd /mnt/root || exec /bin/sh
mount -t sysfs sysfs sys
mount -t proc proc proc
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts dev/pts
mount -t tmpfs shm dev/shm
mount -t tmpfs -o mode=755 run run
chmod 1777 dev/shm
mount -t configfs configfs sys/kernel/config
mkdir -p sys/fs/cgroup var/lock
mount -t cgroup2 cgroup sys/fs/cgroup
mkdir -p run/host old
mount -t hostfs -o "$out" out run/host
tar xf "$(echo "$kernel"/modules*.tar.xz)" -C usr/lib --strip-components=1
pivot_root . old
exec chroot . "$next" </dev/console >/dev/console 2>&1
