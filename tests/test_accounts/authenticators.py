"""A device that keeps passkeys, in software: it answers what a browser would hand it."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client

from accounts.models import User

pytest.importorskip("fido2")

from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

SITE = "http://localhost:8000"
_PRESENT = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV


@dataclass
class Device:
    """Keeps one passkey. `step`: by how much its counter rises with each use."""

    step: int = 1
    origin: str = SITE
    rp_id: str = "localhost"
    flags: AuthenticatorData.FLAG = _PRESENT
    count: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: str = ""

    def makes(self, options: dict[str, Any]) -> str:
        """Return the answer to what a site asks of a device that is to make a passkey."""
        asked = options["publicKey"]
        self.user_handle = asked["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(Aaguid.NONE, self.credential_id, public)
        data = self._data(AuthenticatorData.FLAG.AT, credential)
        said = CollectedClientData.create("webauthn.create", asked["challenge"], self.origin)
        attested = AttestationObject.create("none", data, {})
        return self._answer(clientDataJSON=websafe_encode(said), attestationObject=websafe_encode(attested))

    def signs(self, options: dict[str, Any], **changes: str) -> str:
        """Return the answer to what a site asks of a device that is to sign somebody in, with changes."""
        self.count += self.step
        data = self._data()
        said = CollectedClientData.create("webauthn.get", options["publicKey"]["challenge"], self.origin)
        signature = self.key.sign(bytes(data) + said.hash, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(said),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": self.user_handle,
        }
        return self._answer(**response | changes)

    def _data(self, more: int = 0, credential: bytes = b"") -> AuthenticatorData:
        rp_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return AuthenticatorData.create(rp_hash, AuthenticatorData.FLAG(self.flags | more), self.count, credential)

    def _answer(self, **response: str) -> str:
        own = websafe_encode(self.credential_id)
        return json.dumps(
            {"id": own, "rawId": own, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )


def add(browser: Client, device: Device, name: str = "my phone") -> Any:
    """Add the device's passkey to the account that is signed in in this browser."""
    options = browser.post("/profile/passkeys/options/").json()
    return browser.post("/profile/passkeys/", {"passkey_name": name, "credential": device.makes(options)})


def sign_in(browser: Client, device: Device, **form: str) -> Any:
    options = browser.post("/sign-in/passkey/options/").json()
    return browser.post("/sign-in/passkey/", {"credential": device.signs(options)} | form)


def device_of(browser: Client, **kind: Any) -> Device:
    """Return a device whose passkey was added in this browser."""
    device = Device(**kind)
    assert add(browser, device).status_code == 302
    return device


def signed_in(browser: Client) -> str:
    """Return the address of whoever is signed in; "" if nobody is."""
    user = browser.get("/").wsgi_request.user
    return str(user.email) if isinstance(user, User) else ""
