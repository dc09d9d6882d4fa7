"""Certificates for tests: an authority, one for each site's server, one for each application.

Owns the folder of `qnetem keys certs` and what lies in it. Needs the package cryptography. Rules. Private
keys are readable by their owner only, and the authority's key is not kept: no one can sign another
certificate. The certificates are for the loopback interface, and for tests.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..emulator.errors import InputError
from .key_sites import KeySite

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

_DAYS = 365


class Certificates:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def authority(self) -> Path:
        """The certificate of the authority."""
        return self.folder / "ca.pem"

    def site(self, name: str) -> tuple[Path, Path]:
        """Certificate and private key of a site's server."""
        return self._pair("sites", name)

    def application(self, name: str) -> tuple[Path, Path]:
        """Certificate and private key of an application."""
        return self._pair("applications", name)

    def key_encryption_key(self, site: str) -> Path:
        """What a store that outlives runs is sealed under."""
        return self.folder / "sites" / f"{site}.kek"

    def _pair(self, kind: str, name: str) -> tuple[Path, Path]:
        return self.folder / kind / f"{name}.pem", self.folder / kind / f"{name}.key"


def make_certificates(folder: Path, sites: Sequence[KeySite]) -> Certificates:
    """Make all of them in a new folder. Raises InputError where it exists or cannot be written."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise InputError(
            "certificates are made by the package cryptography: pip install 'qnetem[keys]'"
        ) from error
    made = Certificates(folder)
    try:
        folder.mkdir(mode=0o700, parents=True)
        for part in ("sites", "applications"):
            (folder / part).mkdir(mode=0o700)
        _fill(made, sites)
    except FileExistsError:
        raise InputError(f"{folder} exists already: name another folder, or remove it") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return made


def _fill(made: Certificates, sites: Sequence[KeySite]) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _signed("qnetem test authority", authority_key, None, authority_key)
    _write(made.authority, _pem(authority))
    for site in sites:
        _issue(made.site(site.node), site.node, authority, authority_key, server=True)
        _write(made.key_encryption_key(site.node), f"{secrets.token_hex(32)}\n".encode())
    for name in sorted({each for site in sites for each in site.applications}):
        _issue(made.application(name), name, authority, authority_key, server=False)


def _issue(
    paths: tuple[Path, Path],
    name: str,
    authority: Certificate,
    authority_key: EllipticCurvePrivateKey,
    server: bool,
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    _write(paths[0], _pem(_signed(name, key, authority, authority_key, server)))
    _write(
        paths[1],
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _signed(
    name: str,
    key: EllipticCurvePrivateKey,
    authority: Certificate | None,
    authority_key: EllipticCurvePrivateKey,
    server: bool = False,
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer = subject if authority is None else authority.subject
    is_authority = authority is None
    builder: Any = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not is_authority:
        use = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    if server:
        names = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed: Certificate = builder.sign(authority_key, hashes.SHA256())
    return signed


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
