"""An authority of our own and certificates by it, made anew for each test."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Signs servers' certificates. `file` is what a client trusts it by."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def file(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "authority.pem"

    def chain(self, address: str = "127.0.0.1", *, days: int = 1) -> Path:
        """A file with a key and its certificate for this address; expired with negative `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        made = _certificate(_name(address), key, self.name, self.key, days, names)
        chain = self.folder / f"server-{address}-{days}.pem"
        chain.write_bytes(_private(key) + made.public_bytes(serialization.Encoding.PEM))
        return chain


def authority(folder: Path) -> Authority:
    """A new authority that keeps its files in the folder."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("an authority of tests")
    made = _certificate(name, key, name, key, 1, x509.BasicConstraints(ca=True, path_length=0))
    (folder / "authority.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Authority(folder, key, name)


def _certificate(  # noqa: PLR0917 - the parts of a certificate
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer_key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
