#!/bin/sh
# Prints the version of this checkout, then the moment of its commit in seconds since 1970: two words on one line. Later
# commits have higher versions, which is what "downgrade" is measured by. OFFHOOK_VERSION gives another version.
set -eu
cd "$(dirname "$0")/.."
base=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
epoch=$(git log -1 --format=%ct)
hash=$(git rev-parse --short=7 HEAD)
dirty=
[ -z "$(git status --porcelain --untracked-files=no)" ] || dirty=.dirty
version=$base+$(date -u -d "@$epoch" +%Y%m%d.%H%M%S).g$hash$dirty
echo "${OFFHOOK_VERSION:-$version} $epoch"
