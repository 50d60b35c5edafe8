"""The centre's signature under the newest entry of each chain.

Nobody who lacks the centre's key can rewrite what lies below a signed head without its showing. The
heads lie beside the entries, though: the owner of the database could delete both together. What
shows that too is a copy of the heads kept elsewhere: `amtsbruecke audit verify --against`.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import connection, transaction

from centre.audit import chain
from centre.audit.models import TrailHead
from centre.kernel import clock
from centre.kernel.errors import AmtsbrueckeError
from centre.keys import keystore
from centre.keys.errors import SignatureInvalid
from centre.keys.sign import AUDIT_HEAD, VerifyKey

# Jumps from chain to chain along the index instead of reading all entries.
_UNSIGNED = """
    WITH RECURSIVE chains (name) AS (
        (SELECT tenant_role FROM audit_auditevent ORDER BY tenant_role LIMIT 1)
        UNION ALL
        SELECT (SELECT tenant_role FROM audit_auditevent WHERE tenant_role > name
                ORDER BY tenant_role LIMIT 1)
        FROM chains WHERE name IS NOT NULL
    )
    SELECT name, newest.number, newest.digest FROM chains
    CROSS JOIN LATERAL (
        SELECT number, digest FROM audit_auditevent WHERE tenant_role = name
        ORDER BY number DESC LIMIT 1
    ) newest
    WHERE NOT EXISTS (
        SELECT FROM audit_head head
        WHERE head.tenant_role = name AND head.number = newest.number
    )
"""


def sign() -> int:
    """Sign the newest entry of every chain that has grown; return how many. For the worker."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSIGNED)
        newest = cursor.fetchall()
    if not newest:
        return 0
    key, at = keystore.centre_signing_key(), clock.now()
    heads = [
        TrailHead(
            tenant_role=name,
            number=number,
            digest=digest,
            at=at,
            kid=key.kid,
            signature=key.sign(
                context=AUDIT_HEAD,
                message=chain.head_message(chain=name, number=number, digest=bytes(digest), at=at),
            ),
        )
        for name, number, digest in newest
    ]
    with transaction.atomic():
        # Two workers may sign the same entry at once; one signature is enough.
        TrailHead.objects.bulk_create(heads, ignore_conflicts=True)
    return len(heads)


class KeptHeadMalformed(AmtsbrueckeError):
    """This is no copy of signed heads."""

    reason = "KEPT_HEAD_MALFORMED"


def newest() -> list[TrailHead]:
    """Return the newest signed head of every chain that may be seen."""
    heads = TrailHead.objects.order_by("tenant_role", "-number")
    return list(heads.distinct("tenant_role"))


def to_line(head: TrailHead) -> str:
    """Return a head as a line to keep: what was signed, and the signature."""
    return json.dumps(
        {
            "chain": head.tenant_role,
            "number": head.number,
            "digest": bytes(head.digest).hex(),
            "at": head.at.isoformat(),
            "kid": head.kid,
            "signature": bytes(head.signature).hex(),
        }
    )


def from_lines(lines: Iterable[str]) -> list[TrailHead]:
    """Return heads that were kept, unsaved; raise `KeptHeadMalformed`. Empty lines are passed."""
    return [_from_line(line) for line in lines if line.strip()]


def _from_line(line: str) -> TrailHead:
    try:
        said = json.loads(line)
        return TrailHead(
            tenant_role=str(said["chain"]),
            number=int(said["number"]),
            digest=bytes.fromhex(said["digest"]),
            at=datetime.fromisoformat(said["at"]),
            kid=str(said["kid"]),
            signature=bytes.fromhex(said["signature"]),
        )
    except (ValueError, TypeError, LookupError) as error:
        raise KeptHeadMalformed(f"This line is no signed head: {line.strip()[:80]}") from error


def signature_check() -> Callable[[TrailHead, bytes], bool]:
    """Return the test of a head against the public keys that this centre ever had."""
    keys = {half.kid: VerifyKey.from_bytes(half.raw) for half in keystore.centre_public_keys()}

    def check(head: TrailHead, message: bytes) -> bool:
        key = keys.get(head.kid)
        if key is None:
            return False
        try:
            key.verify(context=AUDIT_HEAD, message=message, signature=bytes(head.signature))
        except SignatureInvalid:
            return False
        return True

    return check
