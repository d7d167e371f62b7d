"""Certificates for mutual TLS, made by each test: an authority, a server and a client that it has signed."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Contexts(NamedTuple):
    """The TLS contexts of both ends: `stranger` trusts the server and has no certificate of its own."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    stranger: ssl.SSLContext
    folder: Path


def make(folder: Path) -> Contexts:
    """Returns contexts; the server asks for a certificate. Skips the test without the package cryptography."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def issue(name: str, issuer: Any, *, authority: bool = False) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer_name, issuer_key = (subject, key) if issuer is None else issuer
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(address, critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(private)
        return subject, key

    authority = issue("authority", None, authority=True)
    issue("server", authority)
    issue("client", authority)
    bundle = str(folder / "authority.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.load_verify_locations(bundle)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=bundle)
    client.load_cert_chain(folder / "client.pem", folder / "client.key")
    return Contexts(server, client, ssl.create_default_context(cafile=bundle), folder)
