"""The site's Ed25519 key, which signs checkpoints.

It is CROWDVOTE_SIGNING_KEY. Without that setting, a key is made when it is first needed and kept in the data directory,
readable by its owner alone. A site that loses its key gets a new one; the old public key still verifies what the old
key signed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


@lru_cache(maxsize=8)
def _private_key(given: str, data_dir: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(given or _kept_key(data_dir / "signing-key")))


def _kept_key(path: Path) -> str:
    if not path.exists():
        # The complete file is linked into place, so processes that need it at once all read the same whole key. A
        # temporary file can be read by its owner alone, whatever the umask.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix="signing-key-") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()


def _key() -> Ed25519PrivateKey:
    return _private_key(settings.SIGNING_KEY, settings.DATA_DIR)


def public_key() -> str:
    """The site's public key, hexadecimal."""
    return _key().public_key().public_bytes_raw().hex()


def sign(message: bytes) -> str:
    """Sign a message with the site's key. Returns the signature, hexadecimal."""
    return _key().sign(message).hex()


def is_signed(message: bytes, *, key: str, signature: str) -> bool:
    """Check a signature of a message under a public key, both hexadecimal."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
