"""The centre's signature under the newest entry of each chain.

From the moment a head is signed, nobody who lacks the centre's key can rewrite or shorten what lies
below it, not even the owner of the database.
"""

from collections.abc import Callable

from django.db import connection, transaction

from centre.audit import chain
from centre.audit.models import TrailHead
from centre.kernel import clock
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
