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
    if [ -s /data/state/hostname ]; then
        name=$(cat /data/state/hostname)
    else
        name=offhook-$(cut -c1-6 "$id")
    fi
    echo "$name" >/run/offhook-box/hostname
    echo "$name" >/proc/sys/kernel/hostname
}
