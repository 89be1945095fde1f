#!/bin/bash
# Prints the folder with the key that signs updates (update.key, update.pem) and the key ring that the image trusts.
# OFFHOOK_SIGNING names a folder with a release's own; otherwise keys for development are made once and kept in the cache.
# A box takes only updates signed under the key ring of the image it was made with: keep a release's key safe, and for ever.
set -euo pipefail
if [ -n "${OFFHOOK_SIGNING:-}" ]; then
    for file in update.key update.pem keyring.pem; do
        [ -r "$OFFHOOK_SIGNING/$file" ] || { echo "OFFHOOK_SIGNING=$OFFHOOK_SIGNING has no $file (docs/image.md)" >&2; exit 1; }
    done
    echo "$OFFHOOK_SIGNING"
    exit
fi
folder=${XDG_CACHE_HOME:-$HOME/.cache}/offhook-image/development-keys
if [ ! -e "$folder/keyring.pem" ]; then
    rm -rf "$folder.new"
    mkdir -p -m 700 "$folder.new"
    cd "$folder.new"
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key 2>/dev/null
    openssl req -x509 -new -key ca.key -sha256 -days 7300 -subj "/O=Offhook/CN=Offhook development updates" -out keyring.pem
    openssl ecparam -name prime256v1 -genkey -noout -out update.key 2>/dev/null
    openssl req -new -key update.key -subj "/O=Offhook/CN=Offhook development signer" -out update.csr
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection,codeSigning\nbasicConstraints=CA:FALSE\n' >extensions
    openssl x509 -req -in update.csr -CA keyring.pem -CAkey ca.key -CAcreateserial -days 7300 -sha256 -extfile extensions -out update.pem 2>/dev/null
    mv -T "$folder.new" "$folder"
fi
echo "$folder"
