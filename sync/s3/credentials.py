"""Who may write into the bucket: keys from a file, or short-lived ones from AWS IoT for the box's certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import urllib3
from botocore.credentials import RefreshableCredentials
from botocore.session import Session, get_session

from firmware.errors import OffhookError
from sync.s3.job import Store

_TIMEOUT = urllib3.Timeout(connect=15, read=30)


class KeysError(OffhookError):
    """There are no keys for the bucket; the message says why."""


def session_of(store: Store) -> Session:
    """A session that signs with these keys and no others (not those of some ``~/.aws``). Raises `KeysError`."""
    session = get_session()
    if store.iot_endpoint:
        session._credentials = RefreshableCredentials.create_from_metadata(
            metadata=_from_iot(store), refresh_using=lambda: _from_iot(store), method="aws-iot"
        )
    else:
        keys = _from_file(store.keys_file)
        session.set_credentials(keys["access_key_id"], keys["secret_access_key"], keys.get("session_token"))
    return session


def _from_file(name: str) -> dict[str, str]:
    if not name:
        raise KeysError("sync.s3.keys_file names no file with keys for the bucket")
    try:
        keys = json.loads(Path(name).read_text(encoding="utf-8"))
        if not all(isinstance(keys[key], str) for key in ("access_key_id", "secret_access_key")):
            raise TypeError("keys must be text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeysError(
            f'cannot use {name}: {error}; it must be JSON with "access_key_id" and "secret_access_key" and readable '
            "for offhook-sync"
        ) from error
    return dict(keys)


def _from_iot(store: Store) -> dict[str, Any]:
    """AWS IoT Core Developer Guide, "Authorizing direct calls to AWS services": a role alias and the thing's name."""
    url = f"https://{store.iot_endpoint}/role-aliases/{store.iot_role_alias}/credentials"
    try:
        with urllib3.PoolManager(
            cert_file=store.cert_file,
            key_file=store.key_file,
            ca_certs=store.iot_ca_file or None,
            cert_reqs="CERT_REQUIRED",
            timeout=_TIMEOUT,
            retries=urllib3.Retry(2, redirect=0),
        ) as pool:
            answer = pool.request("GET", url, headers={"x-amzn-iot-thingname": store.thing})
            found = answer.json() if answer.status == 200 else None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise KeysError(f"{store.iot_endpoint} gives no keys: {error}") from error
    if answer.status != 200:
        raise KeysError(f"{store.iot_endpoint} gives no keys for {store.iot_role_alias}: HTTP {answer.status}")
    try:
        keys = found["credentials"]  # type: ignore[index]
        return {
            "access_key": keys["accessKeyId"],
            "secret_key": keys["secretAccessKey"],
            "token": keys["sessionToken"],
            "expiry_time": keys["expiration"],
        }
    except (KeyError, TypeError) as error:
        raise KeysError(f"{store.iot_endpoint} answers without keys: {error}") from error
