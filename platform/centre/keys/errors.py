from centre.kernel.errors import AmtsbrueckeError


class KeyFault(AmtsbrueckeError):
    """A key cannot be used."""

    reason = "KEY_FAULT"


class KeyUnknown(KeyFault):
    """There is no such key here."""

    reason = "KEY_UNKNOWN"


class KeyMalformed(KeyFault):
    """These bytes are no key of the named suite."""

    reason = "KEY_MALFORMED"


class SignatureInvalid(KeyFault):
    """The signature does not belong to these bytes and this key."""

    reason = "SIGNATURE_INVALID"


class SealBroken(KeyFault):
    """The seal cannot be opened: another key, another context, or changed bytes."""

    reason = "SEAL_BROKEN"


class BlobBroken(KeyFault):
    """A document's sealed bytes were changed, reordered or cut off."""

    reason = "BLOB_BROKEN"


class MasterKeyWrong(KeyFault):
    """The centre's master key does not open a stored key."""

    reason = "MASTER_KEY_WRONG"


class CertificateFault(KeyFault):
    """A certificate cannot be issued or read."""

    reason = "CERTIFICATE_FAULT"
