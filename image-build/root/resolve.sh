#!/bin/sh
# Prints `name version` of every package a build would install now, sorted: the input that no file of ours holds.
# Usage: resolve.sh SUITE
#        resolve.sh SUITE --download ARCHITECTURE FOLDER PACKAGE...    fetch some, verified, without installing them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
architecture=arm64
[ "${2:-}" != --download ] || architecture=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/etc/preferences.d" "$work/lists/partial" "$work/archives/partial" "$work/trusted"
python3 "$here/../sources.py" "$1" >"$work/etc/image.sources"
cp "$here/preferences" "$work/etc/preferences.d/image"
: >"$work/status"
cat >"$work/conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$work/etc";
Dir::Etc::PreferencesParts "$work/etc/preferences.d";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
# Apt on a host may be newer than the archive's files are meant for, never the other way round: an error is shown.
APT_CONFIG="$work/conf" apt-get -qq update
if [ "${2:-}" = --download ]; then
    folder=$4
    shift 4
    cd "$folder"
    APT_CONFIG="$work/conf" apt-get -qq download "$@"
    exit
fi
# shellcheck disable=SC2046 # package names hold no spaces
APT_CONFIG="$work/conf" apt-get -qq -s install '?essential' $(grep -v '^#' "$here/../packages.txt") |
    sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | LC_ALL=C sort
