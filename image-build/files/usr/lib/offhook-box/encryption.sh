# shellcheck shell=sh
# The data partition under LUKS, with the key on a USB stick. Read by `start`; docs/image.md says what it protects against.
key_name=offhook.key

# The owner asks for it before the first start, by an empty file `encrypt-with-usb-key` on the card's boot partition.
wants_encryption() {
    modprobe -q vfat
    mkdir -p /run/offhook-box/boot
    mount -t vfat -o ro /dev/offhook/boot /run/offhook-box/boot || return 1
    [ -e /run/offhook-box/boot/encrypt-with-usb-key ]
    asked=$?
    umount /run/offhook-box/boot
    return $asked
}

# Calls "$@" with the folder of each stick's partition, until it succeeds; waits 20 s for a stick to show up.
on_a_stick() {
    for module in xhci-pci xhci-plat-hcd dwc2 usb-storage uas sd_mod vfat; do modprobe -q $module; done
    mkdir -p /run/offhook-box/stick
    tries=0
    while [ $tries -lt 40 ]; do
        for device in /dev/sd[a-z] /dev/sd[a-z][0-9]; do
            [ -b "$device" ] || continue
            mount -t vfat -o "$mode",umask=0077 "$device" /run/offhook-box/stick 2>/dev/null || continue
            "$@" /run/offhook-box/stick
            result=$?
            umount /run/offhook-box/stick
            [ $result -ne 0 ] || return 0
        done
        tries=$((tries + 1))
        sleep 0.5
    done
    return 1
}

new_key() {
    if ! [ -s "$1/$key_name" ]; then
        head -c 64 /dev/urandom >"$1/$key_name.new" && sync "$1/$key_name.new" && mv "$1/$key_name.new" "$1/$key_name" || return 1
    fi
    # The key has 512 random bits: nothing is won by making a guess slow.
    cryptsetup --batch-mode luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
        --key-file "$1/$key_name" /dev/offhook/data &&
        cryptsetup open --key-file "$1/$key_name" /dev/offhook/data offhook-data
}

open_with() { [ -s "$1/$key_name" ] && cryptsetup open --key-file "$1/$key_name" /dev/offhook/data offhook-data; }

encrypt() {
    for module in dm_crypt xts aes_arm64 aes_ce_blk; do modprobe -q $module; done
    mode=rw
    why="it is to be encrypted, and there is no USB stick for the key (FAT file system)"
    on_a_stick new_key
}

unlock() {
    for module in dm_crypt xts aes_arm64 aes_ce_blk; do modprobe -q $module; done
    mode=ro
    why="it is encrypted, and no USB stick with its key ($key_name) is plugged in"
    on_a_stick open_with
}
