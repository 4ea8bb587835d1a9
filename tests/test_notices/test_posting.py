"""Messages are posted to the public internet alone, to the address that was looked at, and never wait for long."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from democracy.errors import InvalidInput
from democracy.notices import posting
from democracy.notices.posting import Answer, Letter, post_all
from democracy.notices.public_addresses import checked_url, is_public
from tests.test_notices.receiver import Received, Receiver, receiving

NOT_PUBLIC = "Its name leads to no address of the public internet."
NOWHERE = [
    "127.0.0.1",  # this machine
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",  # private networks
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # a provider's own network
    "169.254.169.254",  # link-local: the clouds' secrets
    "192.0.2.1",  # documentation
    "198.18.0.1",  # measuring
    "224.0.0.1",  # many receivers
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",  # IPv4 in the clothes of IPv6
    "::ffff:8.8.8.8",
    "::7f00:1",
    "2002:7f00:1::",
    "2001:0:1:2::3",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "100.63.255.255", "2001:4860:4860::8888", "2a00:1450:4001:80b::200e"])
def test_a_public_address_is_not(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *(f"https://{f'[{one}]' if ':' in one else one}/" for one in NOWHERE if "%" not in one),
        "http://example.org/",
        "ftp://example.org/",
        "//example.org/",
        "example.org",
        "https://",
        "https:///hooks",
        "https://user:password@example.org/",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://example.org/a b",
        "https://example.org/\nHost: x",
        "https://ex\u00e4mple.org/",
        "https://localhost/",
        "https://printer/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1/",
        f"https://example.org/{'a' * 500}",
        "",
    ],
)
def test_a_url_that_can_only_be_wrong_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_url(url)
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    "url", ["https://example.org", "https://hooks.example.org:8443/a/b?c=d", "https://xn--exmple-cua.org/"]
)
def test_any_other_is_taken(url: str) -> None:
    assert checked_url(f" {url} ") == url


# --- Where it goes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    with receiving(found) as port:
        found.port = port
        yield found


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have every name lead to these addresses, once each time it is looked up. Returns the names that were."""

    def lead(*turns: list[str]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, *args: object, **more: object) -> list[tuple[object, ...]]:
            addresses = turns[min(len(asked), len(turns) - 1)]
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return lead


def post(url: str) -> Answer:
    (answer,) = post_all([Letter(url, b"{}", {"webhook-id": "msg_1"})])
    return answer


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], []]
)
def test_a_name_that_leads_here_is_not_posted_to(receiver, leads_to, addresses) -> None:
    leads_to(addresses)
    assert post(f"http://hooks.example.org:{receiver.port}/") == Answer(None, NOT_PUBLIC)
    assert receiver.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.0.0.0x1", "0"])
def test_this_machine_is_not_posted_to_by_any_name(receiver, host) -> None:
    """Also where the check of what was typed is passed by."""
    assert post(f"http://{host}:{receiver.port}/") == Answer(None, NOT_PUBLIC)
    assert receiver.received == []


def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_looked_at(
    receiver, leads_to, settings, monkeypatch
) -> None:
    """A name that leads somewhere public first, and to this machine a moment later, gains nothing."""
    asked = leads_to(["127.0.0.1"], ["127.0.0.2"])
    settings.WEBHOOKS_TO = "any"
    assert post(f"http://hooks.example.org:{receiver.port}/a?b=c") == Answer(204)
    assert asked == ["hooks.example.org"]
    (received,) = receiver.received
    assert (received.path, received.headers["host"]) == ("/a?b=c", f"hooks.example.org:{receiver.port}")


def test_a_redirect_is_not_followed(receiver, settings) -> None:
    settings.WEBHOOKS_TO = "any"
    receiver.statuses, receiver.location = [307], f"http://127.0.0.1:{receiver.port}/elsewhere"
    answer = post(f"http://127.0.0.1:{receiver.port}/")
    assert (answer.status, answer.is_taken, len(receiver.received)) == (307, False, 1)


# --- How long it takes ------------------------------------------------------------------------------------------------


@contextmanager
def answering(*pieces: bytes, ends: bool = True, after: threading.Event | None = None) -> Iterator[str]:
    """Serve one connection: read something, and write these pieces. Yields the address."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                if after is not None:
                    after.wait(20)
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                except OSError:
                    return
                if not ends:
                    over.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


def test_a_receiver_that_drips_is_left(settings, monkeypatch) -> None:
    settings.WEBHOOKS_TO = "any"
    monkeypatch.setattr(posting, "TIMEOUT", 0.2)
    with answering(b"HTTP/1.1 200 OK\r\nX: ", ends=False) as url:
        assert post(url).problem.startswith("It did not answer within")


@pytest.mark.parametrize(
    "pieces",
    [[b""], [b"SSH-2.0-OpenSSH\r\n"], [b"HTTP/1.1 200 OK\r\n"], [b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 99_999] * 9]],
)
def test_an_answer_without_an_end_or_a_meaning_is_a_failure(settings, pieces) -> None:
    settings.WEBHOOKS_TO = "any"
    with answering(*pieces) as url:
        assert post(url) == Answer(None, "The connection failed.")


def test_what_follows_the_head_of_an_answer_is_not_waited_for(settings) -> None:
    settings.WEBHOOKS_TO = "any"
    with answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", ends=False
    ) as url:
        assert post(url) == Answer(200)


def test_one_that_is_slow_holds_nobody_up(receiver, settings) -> None:
    settings.WEBHOOKS_TO = "any"
    arrived, take = threading.Event(), receiver.take

    def taken(received: Received) -> int:
        arrived.set()
        return take(received)

    receiver.take = taken
    # It answers when the other one has its message.
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", after=arrived) as slow:
        answers = post_all([Letter(url, b"{}", {}) for url in (slow, f"http://127.0.0.1:{receiver.port}/")])
    assert [one.status for one in answers] == [200, 204]


# --- To whom ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.example.org and its key, in one file; it vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "hooks.pem"
    text = serialization.Encoding.PEM
    path.write_bytes(
        made.public_bytes(text)
        + key.private_bytes(text, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.mark.parametrize(
    ("name", "is_trusted", "expected"),
    [
        ("hooks.example.org", True, Answer(204)),
        ("hooks.example.org", False, Answer(None, "Its certificate is not valid.")),
        ("other.example.org", True, Answer(None, "Its certificate is not valid.")),
    ],
)
def test_the_certificate_has_to_be_the_names_though_the_connection_goes_to_the_address(
    certificate, leads_to, settings, monkeypatch, name, is_trusted, expected
) -> None:
    settings.WEBHOOKS_TO = "any"
    leads_to(["127.0.0.1"])
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver = Receiver()
    with receiving(receiver, context=context) as port:
        assert post(f"https://{name}:{port}/") == expected
    assert len(receiver.received) == (expected.status is not None)
