"""The site's Ed25519 key, by which it vouches for checkpoints.

It is CROWDVOTE_SIGNING_KEY, or is made when it is first needed and kept in the data directory, readable by its owner
alone. Whoever loses it begins a new one: what the old one signed stays verifiable by the old public key.
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
        # Linked into place when it is complete: of several processes that need it at once all read the same whole key.
        # Temporary files are their owner's alone, whatever the umask.
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
    """The site's signature, hexadecimal."""
    return _key().sign(message).hex()


def is_signed(message: bytes, *, key: str, signature: str) -> bool:
    """Whether this is the signature of the message under a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
