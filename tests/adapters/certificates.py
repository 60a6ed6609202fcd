"""A certificate authority for one test, and a server's certificate signed by it."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pwd import struct_passwd
from shutil import rmtree

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Files: the server's certificate and key, the authority that signed it, and one that did not."""

    cert: Path
    key: Path
    ca: Path
    stranger: Path


@contextmanager
def certificates(address: str, owner: struct_passwd | None) -> Iterator[Certificates]:
    """Certificates for a server at this address, whose key only its owner may read, as servers demand."""
    base = Path(tempfile.mkdtemp(prefix="siege-tls-", dir="/tmp"))
    base.chmod(0o755)
    files = Certificates(base / "cert.pem", base / "key.pem", base / "ca.pem", base / "stranger.pem")
    try:
        authority, signer = _authority("siege test authority")
        stranger, _ = _authority("somebody else")
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate("siege test server", key.public_key(), "siege test authority", signer, address)
        for path, certificate in ((files.cert, leaf), (files.ca, authority), (files.stranger, stranger)):
            path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        files.key.chmod(0o600)
        if owner is not None:
            os.chown(files.key, owner.pw_uid, owner.pw_gid)
        yield files
    finally:
        rmtree(base)


def _authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate(name, key.public_key(), name, key, None), key


def _certificate(
    subject: str, key: ec.EllipticCurvePublicKey, issuer: str, signer: ec.EllipticCurvePrivateKey, address: str | None
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())
