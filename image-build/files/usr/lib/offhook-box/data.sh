# shellcheck shell=sh
# The data partition: made at the first start, checked and mounted at each. Read by `start`; sets `why` when it fails.
#
# A partition is formatted only while the mark that the image was written with stands beside it, 1.5 MiB into the disk.
# It is taken away as soon as the file system is complete, so a damaged one is never taken for an empty one.
# shellcheck disable=SC2034 # `start` shows it
mark_block=3072
mark=OFFHOOK-NEW-DATA

# The disk's own name is `start`'s.
is_new() { [ "$(dd if=/dev/offhook/disk bs=512 skip=$mark_block count=1 2>/dev/null | head -c ${#mark})" = "$mark" ]; }

prepare_data() {
    if is_new; then
        say "first start: making the data partition"
        # To the end of the card, whatever its size.
        echo ',+' | sfdisk --quiet --no-reread --no-tell-kernel -N 4 "/dev/$disk" || { why="it cannot grow"; return 1; }
        partx -u --nr 4 "/dev/$disk"
        target=/dev/offhook/data
        if wants_encryption; then encrypt || return 1; target=/dev/mapper/offhook-data; fi
        mke2fs -q -F -t ext4 -L offhook-data -m 1 -E lazy_itable_init=1,lazy_journal_init=1 "$target" || { why="it cannot be formatted"; return 1; }
        sync
        dd if=/dev/zero of=/dev/offhook/disk bs=512 seek=$mark_block count=1 conv=notrunc,fsync 2>/dev/null
    fi
    target=/dev/offhook/data
    if [ "$(blkid -p -s TYPE -o value "$target")" = crypto_LUKS ]; then
        unlock || return 1
        target=/dev/mapper/offhook-data
    fi
    e2fsck -p "$target" >/run/offhook-box/fsck 2>&1
    [ $? -lt 4 ] || { why="its file system is damaged: $(tail -1 /run/offhook-box/fsck)"; return 1; }
    mount -t ext4 -o noatime,nosuid,nodev,errors=remount-ro "$target" /data || { why="it cannot be mounted"; return 1; }
}
