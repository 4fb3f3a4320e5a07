"""The self-signed certificate with which this machine answers the callback on 127.0.0.1."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.errors import SettingsError

_LIFE = timedelta(days=825)  # browsers refuse longer ones
_RENEW_AHEAD = timedelta(days=30)


def ensure_certificate(folder: Path, host: str) -> Path:
    """A file with key and certificate for `host`, made on first use and renewed before it ends. Raises SettingsError."""
    path = folder / "callback.pem"
    try:
        if not _still_good(path, host):
            _write_private(path, _make(host))
    except OSError as error:
        raise SettingsError(
            f"DATA_DIR: the callback's certificate {path} can't be used: {error}",
            cure="Make DATA_DIR writable.",
        ) from error
    return path


def _still_good(path: Path, host: str) -> bool:
    if not path.exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    ends = certificate.not_valid_after_utc
    return _alternative(host) in names and ends - datetime.now(UTC) > _RENEW_AHEAD


def _make(host: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "GEX dashboard callback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_private(path: Path, value: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".callback.", dir=path.parent)  # created 0600
    with os.fdopen(handle, "wb") as file:
        file.write(value)
    os.replace(name, path)
