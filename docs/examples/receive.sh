#!/bin/sh
# Receives what Offhook boxes send, with mosquitto_sub and mosquitto_pub alone; docs/mqtt.md says what is going on.
#   receive.sh HOST PORT FOLDER      records go to FOLDER/records.jsonl, recordings to FOLDER/<file id>.flac
# An example to read, not a cloud: one receiver, no index, and a sync(1) for each file. DROP=<n> leaves out the n-th
# chunk, once, as a bad link would: watch it being asked for again.
set -eu
host=$1 port=$2 folder=$3
mkdir -p "$folder/parts"
[ -s "$folder/store" ] || od -An -N8 -tx1 /dev/urandom | tr -d ' \n' >"$folder/store"
store=$(cat "$folder/store")
drop=${DROP:-0}

unhex() { tr a-f A-F | basenc --base16 -d; }

answer() { # dev json
    mosquitto_pub -h "$host" -p "$port" -q 1 -t "offhook1/$1/dn/ack" -m "$2"
}

number() { # json key: what a record says outside of its data
    printf %s "${1%%\"data\"*}" | sed -n "s/.*\"$2\" *: *\([0-9][0-9]*\).*/\1/p"
}

text() {
    printf %s "${1%%\"data\"*}" | sed -n "s/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p"
}

# $folder/parts/<file>.have: a line "start end" for each chunk. Prints them merged, as JSON.
have() {
    sort -n "$folder/parts/$1.have" 2>/dev/null | awk '
        NR == 1 { start = $1; end = $2; next }
        $1 <= end { if ($2 > end) end = $2; next }
        { printf "%s[%d,%d]", (n++ ? "," : ""), start, end; start = $1; end = $2 }
        END { if (NR) printf "%s[%d,%d]", (n++ ? "," : ""), start, end }'
}

receiving() { # dev file
    answer "$1" "{\"t\":\"f\",\"f\":\"$2\",\"state\":\"receiving\",\"have\":[$(have "$2")],\"rc\":0}"
}

stored() { # dev file size sha256
    answer "$1" "{\"t\":\"f\",\"f\":\"$2\",\"state\":\"stored\",\"have\":[[0,$3]],\"size\":$3,\"sha256\":\"$4\",\"store\":\"$store\",\"rc\":0}"
}

on_hello() { # dev
    answer "$1" "{\"t\":\"hello\",\"srv_ms\":$(date +%s)000,\"store\":\"$store\",\"batch\":false,\"max_chunk\":65536,\"ev_upto\":0,\"ev_gaps\":[],\"cfg_ver\":0}"
}

on_record() { # dev json
    epoch=$(text "$2" epoch) seq=$(number "$2" seq)
    grep -qsF "$epoch $seq " "$folder/parts/$1.seen" || {
        printf '%s\n' "$2" >>"$folder/records.jsonl"
        printf '%s %s \n' "$epoch" "$seq" >>"$folder/parts/$1.seen"
        sync "$folder/records.jsonl"
    }
    answer "$1" "{\"t\":\"ev\",\"epoch\":\"$epoch\",\"seq\":[$seq],\"upto\":0,\"srv_ms\":$(date +%s)000}"
}

on_chunk() { # dev file offset sha256 hex
    part=$folder/parts/$2.part
    [ "$drop" -eq 0 ] || { drop=$((drop - 1)); [ "$drop" -ne 0 ] || { echo "dropped $2 at $3"; return; }; }
    printf %s "$5" | unhex >"$folder/parts/chunk"
    [ "$(sha256sum <"$folder/parts/chunk" | cut -d' ' -f1)" = "$4" ] || { receiving "$1" "$2"; return; }
    dd if="$folder/parts/chunk" of="$part" bs=65536 seek="$3" oflag=seek_bytes conv=notrunc status=none
    echo "$3 $(($3 + $(wc -c <"$folder/parts/chunk")))" >>"$folder/parts/$2.have"
    receiving "$1" "$2"
}

on_fin() { # dev file size sha256
    part=$folder/parts/$2.part
    if [ -e "$folder/$2.flac" ]; then
        stored "$1" "$2" "$3" "$4"
    elif [ "$(have "$2")" != "[0,$3]" ]; then
        receiving "$1" "$2"
    elif [ "$(sha256sum <"$part" | cut -d' ' -f1)" = "$4" ]; then
        sync "$part" && mv "$part" "$folder/$2.flac" && sync "$folder"
        stored "$1" "$2" "$3" "$4"
    else # whatever it was: from the start
        rm -f "$part" "$folder/parts/$2.have"
        receiving "$1" "$2"
    fi
}

# One line per message: topic, a blank, the payload in hexadecimal.
mosquitto_sub -h "$host" -p "$port" -q 1 -t 'offhook1/+/up/#' -F '%t %x' | while read -r topic hex; do
    old=$IFS; IFS=/
    # shellcheck disable=SC2086
    set -- $topic
    IFS=$old
    dev=$2
    case $4/${6:-} in
        hello/) on_hello "$dev" ;;
        ev/) on_record "$dev" "$(printf %s "$hex" | unhex)" ;;
        f/init) receiving "$dev" "$5" ;;
        f/fin) on_fin "$dev" "$5" "$7" "$8" ;;
        f/abort) rm -f "$folder/parts/$5."* ;;
        f/[0-9]*) on_chunk "$dev" "$5" "$6" "$7" "$hex" ;;
    esac
done
