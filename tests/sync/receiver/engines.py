"""PostgreSQL from Debian and rclone's S3, as real servers with folders of their own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sync.receiver.settings import PostgresSettings, S3Settings
from tests.sync.faults.mosquitto import free_port

BUCKET = "recordings"
_READY_S = 60.0


class Postgres:
    """A cluster of its own. The server refuses to run as root, so root becomes another."""

    def __init__(self, *, options: str = "") -> None:
        self._bin = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
        if self._bin is None:
            pytest.skip("PostgreSQL is not installed (apt install postgresql)")
        self._folder = Path(tempfile.mkdtemp(prefix="offhook-postgres-"))  # pytest's folders are closed to others
        self._options = options
        self._as: list[str] = []
        if os.geteuid() == 0:
            self._as = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
            shutil.chown(self._folder, "postgres")
        self._port = free_port()
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions")
        self.start()
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE offhook")

    @property
    def conninfo(self) -> str:
        return self._conninfo("offhook")

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories='' {self._options}"
        self._run("pg_ctl", "-w", "-t", "60", "-o", options, "-l", str(self._folder / "log"), "start")

    def kill(self) -> None:
        """As a machine does that goes away."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _conninfo(self, database: str) -> str:
        return f"host=127.0.0.1 port={self._port} user=postgres dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        assert self._bin is not None
        subprocess.run(
            [*self._as, str(self._bin / program), "-D", str(self._folder / "data"), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            timeout=120,
        )


class S3Server:
    """``rclone serve s3``: files in a folder, signatures and MD5 checked."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
        if program is None:
            pytest.skip("rclone is not installed (it comes with the packages of the tests)")
        self._folder = folder
        (folder / "objects" / BUCKET).mkdir(parents=True)
        self._program = program
        self._port = free_port()
        self._secret = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def settings(self, prefix: str = "") -> S3Settings:
        return S3Settings(
            endpoint=f"http://127.0.0.1:{self._port}",
            bucket=BUCKET,
            prefix=prefix,
            access_key="receiver",
            secret_key=self._secret,
        )

    def start(self) -> None:
        settings = self.settings()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", "s3", "--addr", f"127.0.0.1:{self._port}", "--auth-key",
                 f"receiver,{self._secret}", "--config", "/dev/null", str(self._folder / "objects")],
                stdout=log, stderr=log,
            )  # fmt: skip
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            aws_access_key_id="receiver",
            aws_secret_access_key=self._secret,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 0}, connect_timeout=1, read_timeout=5),
        )
        end = time.monotonic() + _READY_S
        while True:
            try:
                self.client.head_bucket(Bucket=BUCKET)
                return
            except (BotoCoreError, ClientError) as error:
                if time.monotonic() > end:
                    raise TimeoutError((self._folder / "log").read_text()) from error
                time.sleep(0.05)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What is in the bucket, by key."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return {one["Key"]: self.client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}

    def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None


class Engines:
    """Both, empty for each test."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres()
        self.s3 = S3Server(folder / "s3")
        self._n = 0

    def settings(self) -> tuple[PostgresSettings, S3Settings]:
        """Of a database without rows and a bucket without objects."""
        self._n += 1
        with psycopg.connect(self.postgres.conninfo, autocommit=True) as connection:
            tables = [
                row[0]
                for row in connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_step'"
                )
            ]
            if tables:
                connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
        return PostgresSettings(conninfo=self.postgres.conninfo), self.s3.settings(f"{self._n}/")

    def stop(self) -> None:
        self.s3.stop()
        self.postgres.stop()
