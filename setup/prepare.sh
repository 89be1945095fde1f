#!/bin/sh
# Brings a fresh Debian or Raspberry Pi OS machine to the point where the demo (`demo`) or the tests (`test`) can run:
# missing Debian packages, then a virtual environment in .venv with the pinned Python packages.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:?usage: setup/prepare.sh demo|test|vm|image|security}

lists=setup/packages-demo.txt
if [ "$purpose" = vm ]; then # the tests, on the test kernel
    lists="$lists setup/packages-vm.txt"
    purpose=test
fi
if [ "$purpose" = image ]; then # the image, and its tests in an emulator
    lists="$lists setup/packages-image.txt"
    purpose=test
fi
if [ "$purpose" = security ]; then # others' tools against the page
    lists="$lists setup/packages-security.txt"
    purpose=test
fi
pins=requirements/runtime.txt
if [ "$purpose" = test ]; then
    lists="$lists setup/packages-test.txt"
    pins=requirements/dev.txt
fi

# shellcheck disable=SC2046,SC2086 # package names hold no spaces
wanted=$(grep -hv '^#' $lists)
missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "These Debian packages are missing:$missing" >&2
            echo "Install them as root, or install sudo, then run this again." >&2
            exit 1
        }
        as_root=sudo
    fi
    echo "Installing Debian packages:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

python=${PYTHON:-/usr/bin/python3}
stamp=.venv/.ready-$purpose
key=$(cat requirements/build.txt "$pins" pyproject.toml | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$key" ]; then
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    echo "Installing pinned Python packages into .venv"
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
    # systemd-python and pyalsaaudio are compiled here, with the setuptools pinned above.
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-build-isolation -r "$pins"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$key" >"$stamp"
fi
