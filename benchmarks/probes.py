"""What this machine can do at most, piece by piece: bare gRPC, bare PostgreSQL, bare cryptography.

Nothing of the product's tables, services or processes takes part. From the processor time of the
pieces follows the ceiling: how many requests all cores together could carry if nothing else were
to be done. Clocks of processors vary, so probes and product are measured in turns.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import grpc
import psycopg

from benchmarks import resources
from benchmarks.world import ROOT
from centre.keys.seal import SealPrivateKey, open_sealed, seal
from centre.keys.sign import ENVELOPE, SigningKey
from federation.links.channels import channel_options

SIZE: Final = 4_096
BATCH: Final = 64
#: The rest between two lone letters, and between two of the pieces that they are compared with: a
#: core that has slept for milliseconds does everything at a half to a third of its speed.
REST_S: Final = 0.05
_IDLE: Final = 60
_BODY: Final = os.urandom(SIZE)
_METHOD: Final = "/amtsbruecke.benchmarks.Bare/Echo"
_UNARY: Final = "/amtsbruecke.benchmarks.Bare/Unary"
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_send_message_length", 8 << 20),
]


def calibration_ms() -> float:
    """Milliseconds of a fixed loop of Python: how fast the core is just now."""

    def once() -> float:
        begin, total = time.process_time(), 0
        for number in range(100_000):
            total += number
        return (time.process_time() - begin) * 1000

    return min(once() for _ in range(5))


# -- cryptography ------------------------------------------------------------------------------


def crypto() -> dict[str, float]:
    """Microseconds of each primitive on 4 KiB."""
    private, signing = SealPrivateKey.generate(), SigningKey.generate()
    public, verify = private.public, signing.verify_key
    sealed = seal(to=public, info=b"info", aad=b"aad", plaintext=_BODY)
    signature = signing.sign(context=ENVELOPE, message=_BODY)
    return {
        "seal": _us(lambda: seal(to=public, info=b"info", aad=b"aad", plaintext=_BODY)),
        "open": _us(lambda: open_sealed(key=private, info=b"info", aad=b"aad", sealed=sealed)),
        "sign": _us(lambda: signing.sign(context=ENVELOPE, message=_BODY)),
        "verify": _us(lambda: verify.verify(context=ENVELOPE, message=_BODY, signature=signature)),
        "hash": _us(lambda: sha256(_BODY).digest()),
    }


def _us(work: Callable[[], object], *, times: int = 300, rounds: int = 5) -> float:
    def once() -> float:
        begin = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - begin) / times * 1e6

    gc.disable()
    try:
        return min(once() for _ in range(rounds))
    finally:
        gc.enable()


# -- PostgreSQL --------------------------------------------------------------------------------


def postgres(url: str, *, batches: int = 60) -> dict[str, float]:
    """Microseconds of processor, ours and the server's, of one row; milliseconds of a commit.

    A commit both right after another one and after a rest.

    Of the server only the process that serves us: what others do there is not the price of a row.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (id uuid PRIMARY KEY, lseq bigint, body bytea)")
        connection.execute("ALTER TABLE bare ALTER body SET STORAGE EXTERNAL")
        connection.execute("CREATE INDEX ON bare (lseq)")
        positions, firsts = count(1), count(1, BATCH)
        inserted = _per_row(connection, lambda: _insert(connection, positions, BATCH), batches)
        numbered = _per_row(connection, lambda: _number(connection, next(firsts)), batches)
        singles = [_timed(lambda: _insert(connection, positions, 1)) for _ in range(200)]
        idle = []
        for _ in range(_IDLE):
            time.sleep(REST_S)
            idle.append(_timed(lambda: _insert(connection, positions, 1)))
        connection.execute("DROP TABLE bare")
    return {
        "insert": inserted,
        "number": numbered,
        "commit_ms": median(singles) * 1000,
        "idle_commit_ms": median(idle) * 1000,
    }


def _per_row(
    connection: psycopg.Connection[Any],
    work: Callable[[], object],
    batches: int,
) -> float:
    def server() -> float:
        return resources.cpu_seconds(connection.info.backend_pid)

    work()
    before, ours = server(), time.process_time()
    for _ in range(batches):
        work()
    spent = time.process_time() - ours + server() - before
    return spent / (batches * BATCH) * 1e6


def _insert(connection: psycopg.Connection[Any], positions: Iterator[int], many: int) -> None:
    rows = [(uuid4(), next(positions), _BODY) for _ in range(many)]
    ids, numbers, bodies = zip(*rows, strict=True)
    connection.execute(
        "INSERT INTO bare SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::bytea[])",
        (list(ids), list(numbers), list(bodies)),
    )


def _number(connection: psycopg.Connection[Any], first: int) -> None:
    """Give a batch of rows other positions and read them, as the owner of a link must."""
    connection.execute(
        "UPDATE bare SET lseq = lseq + 1000000000 WHERE lseq BETWEEN %s AND %s"
        " RETURNING id, lseq, body",
        (first, first + BATCH - 1),
        binary=True,
    ).fetchall()


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def stored_bytes_per_s(url: str, *, size: int, chunk: int, at_once: int = 8) -> float:
    """Return how fast a bare table takes so many bytes durably, some chunks in each commit."""
    body = os.urandom(chunk)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (number bigint, data bytea)")
        connection.execute("ALTER TABLE bare ALTER data SET STORAGE EXTERNAL")
        begin = time.perf_counter()
        for _ in range(0, size, chunk * at_once):
            connection.execute(
                "INSERT INTO bare SELECT number, data"
                "  FROM unnest(%b::bytea[]) WITH ORDINALITY AS chunk (data, number)",
                ([body] * at_once,),
            )
        seconds = time.perf_counter() - begin
        connection.execute("DROP TABLE bare")
    return size / seconds


# -- gRPC --------------------------------------------------------------------------------------


def wire(tls: Path, centre: str, *, frames: int = 400) -> dict[str, float]:
    """Microseconds of both ends for an item in frames of 64; milliseconds of a lone round trip."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.probes", str(tls)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        port = int(server.stdout.readline())
        return asyncio.run(_wire(tls, centre, port, server.pid, frames))
    finally:
        server.stdin.close()
        server.wait(timeout=20)
        server.stdout.close()


async def _wire(tls: Path, centre: str, port: int, pid: int, frames: int) -> dict[str, float]:
    credentials = grpc.ssl_channel_credentials(
        (tls / "ca.pem").read_bytes(),
        (tls / "centre.key").read_bytes(),
        (tls / "centre.pem").read_bytes(),
    )
    options = [*channel_options(centre), *_OPTIONS]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        frame = _BODY * BATCH
        before = resources.cpu_seconds(pid) + time.process_time()
        begin = time.perf_counter()
        call: Any = channel.stream_stream(_METHOD)()
        under_way = 0
        for _ in range(frames):
            await call.write(frame)
            under_way += 1
            if under_way == 4:
                await call.read()
                under_way -= 1
        await call.done_writing()
        for _ in range(under_way):
            await call.read()
        seconds = time.perf_counter() - begin
        spent = resources.cpu_seconds(pid) + time.process_time() - before
        unary: Any = channel.unary_unary(_UNARY)
        trips = []
        for _ in range(200):
            start = time.perf_counter()
            await unary(_BODY)
            trips.append(time.perf_counter() - start)
        idle = []
        for _ in range(_IDLE):
            await asyncio.sleep(REST_S)
            start = time.perf_counter()
            await unary(_BODY)
            idle.append(time.perf_counter() - start)
        return {
            "item": spent / (frames * BATCH) * 1e6,
            "bytes_per_s": frames * len(frame) / seconds,
            "trip_ms": median(trips) * 1000,
            "idle_trip_ms": median(idle) * 1000,
        }


async def _serve(tls: Path) -> None:
    async def echo(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request[:64]

    async def unary(request: bytes, _: Any) -> bytes:
        return request[:64]

    server = grpc.aio.server(options=_OPTIONS)
    service = "amtsbruecke.benchmarks.Bare"
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                service,
                {
                    "Echo": grpc.stream_stream_rpc_method_handler(echo),
                    "Unary": grpc.unary_unary_rpc_method_handler(unary),
                },
            ),
        )
    )
    credentials = grpc.ssl_server_credentials(
        [((tls / "centre.key").read_bytes(), (tls / "centre.pem").read_bytes())],
        (tls / "ca.pem").read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(grace=0)


# -- the ceiling -------------------------------------------------------------------------------

#: Receipts, leaves of the Merkle tree, the acked-up-to row: little, and the same for everybody.
_SMALL_US: Final = 13.0


def ceiling(pieces: dict[str, float], *, cores: int, signed_together: int = 1) -> float:
    """Requests per second that `cores` could carry, by the processor time of the bare pieces.

    Accepting: seal, sign, durable row. Travelling: number and read, gRPC. Receiving: verify, hash,
    durable row. After limits of a link batched by 64, where each letter has a signature of its own.
    """
    spent = (
        pieces["seal"]
        + (pieces["sign"] + pieces["verify"]) / signed_together
        + 2 * pieces["insert"]
        + pieces["number"]
        + pieces["item"]
        + 2 * pieces["hash"]
        + _SMALL_US
    )
    return cores * 1e6 / spent


def all_pieces(url: str, tls: Path, centre: str) -> dict[str, float]:
    """Take every probe once."""
    return {**crypto(), **postgres(url), **wire(tls, centre)}


if __name__ == "__main__":
    if len(sys.argv) == 2:
        asyncio.run(_serve(Path(sys.argv[1])))
    else:
        print(json.dumps(crypto()))
