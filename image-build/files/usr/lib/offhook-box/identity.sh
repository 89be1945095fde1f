# shellcheck shell=sh
# Who this box is on the network: made at the first start, never part of an image.
make_identity() {
    id=/data/state/machine-id
    if ! [ -s "$id" ]; then
        tr -d - </proc/sys/kernel/random/uuid >"$id.new"
        sync "$id.new"
        mv "$id.new" "$id"
    fi
    mount --bind "$id" /etc/machine-id
    name_the_box
}

# The network sees a name of its own for each box; mDNS says offhook.local unless the owner gave a name.
name_the_box() {
    called=offhook
    if [ -s /data/state/hostname ]; then
        name=$(cat /data/state/hostname)
        called=$name
    else
        name=offhook-$(cut -c1-6 /data/state/machine-id)
    fi
    echo "$name" >/run/offhook-box/hostname
    echo "$name" >/proc/sys/kernel/hostname
    sed "s/^host-name=.*/host-name=$called/" /etc/avahi/avahi-daemon.conf >/run/offhook-box/avahi.conf
}
