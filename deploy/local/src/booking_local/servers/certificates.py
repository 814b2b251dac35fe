"""Certificates of a secured stack: a CA of its own, made on the fly, and what it signed for the broker and its clients.

The CA's key is in the folder with the rest, readable by its owner alone: it vouches for 127.0.0.1 and nothing else.
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any

from booking_local.layout import write_private

_DAYS, _RENEWED_DAYS_BEFORE = 365, 30
HOST = "127.0.0.1"


class Certificates:
    """Those of one folder, each made when it is asked for and there is none, or only an old one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def ca(self) -> Path:
        """The CA's certificate, PEM: what clients and the broker trust."""
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> Path:
        """The certificate of this name (its CN), PEM; `make` comes first."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Its key, PEM, PKCS#8."""
        return self.folder / f"{name}.key"

    def both(self, name: str) -> Path:
        """Key and certificate in one file, as Kafka wants a key store in PEM."""
        return self.folder / f"{name}.pem"

    def make(self, *names: str) -> None:
        """The CA and a certificate for each name, good for a server on 127.0.0.1 and for a client alike."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "ca.key"
        if not (key.exists() and _good(self.ca)):
            self._write("ca", *_self_signed(), certificate=self.ca)
            for old in self.folder.glob("*.crt"):  # signed by a CA that is gone
                old.unlink()
        for name in names:
            if not (self.both(name).exists() and _good(self.certificate(name))):
                self._write(name, *_signed(name, _certificate(self.ca), _key(key)), certificate=self.certificate(name))

    def _write(self, name: str, key: Any, signed: Any, *, certificate: Path) -> None:
        from cryptography.hazmat.primitives import serialization as forms

        private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode()
        public = signed.public_bytes(forms.Encoding.PEM).decode()
        write_private(self.key(name), private)
        certificate.write_text(public, "utf-8")
        write_private(self.both(name), private + public)


def _certificate(path: Path) -> Any:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes())


def _key(path: Path) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(path.read_bytes(), None)


def _good(path: Path) -> bool:
    if not path.exists():
        return False
    left = _certificate(path).not_valid_after_utc - dt.datetime.now(dt.UTC)
    return left > dt.timedelta(days=_RENEWED_DAYS_BEFORE)


def _self_signed() -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("booking local CA")
    made = _begun(name, name, key.public_key(), key.public_key())
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return key, _finished(made.add_extension(_usage(ca=True), critical=True), key)


def _signed(name: str, ca: Any, ca_key: Any) -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID as For

    key = ec.generate_private_key(ec.SECP256R1())
    made = _begun(_name(name), ca.subject, key.public_key(), ca_key.public_key())
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(ca=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([For.SERVER_AUTH, For.CLIENT_AUTH]), critical=False)
    here = [x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost")]
    return key, _finished(made.add_extension(x509.SubjectAlternativeName(here), critical=False), ca_key)


def _name(text: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(subject: Any, issuer: Any, public: Any, issuers: Any) -> Any:
    from cryptography import x509

    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers), critical=False)
    )


def _usage(*, ca: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _finished(made: Any, key: Any) -> Any:
    from cryptography.hazmat.primitives import hashes

    return made.sign(key, hashes.SHA256())
