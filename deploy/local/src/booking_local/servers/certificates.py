"""Certificates of a secured stack: a CA of its own, made on the fly, and what it signed for the broker and its clients.

The CA's key is in the folder with the rest, readable by its owner alone: it vouches for 127.0.0.1 and nothing else.
"""

from pathlib import Path
from typing import Any

from booking_local.layout import write_private

HOST = "127.0.0.1"


class Certificates:
    """Those of one folder, each made when it is asked for and there is none.

    They do not expire: who wants others deletes the folder.
    """

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
        import trustme  # half a second, which no stack in plain text pays

        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "ca.key"
        if not (key.exists() and self.ca.exists()):
            ca = trustme.CA(organization_unit_name="booking local CA")
            write_private(key, ca.private_key_pem.bytes().decode())
            self.ca.write_bytes(ca.cert_pem.bytes())
            for old in self.folder.glob("*.crt"):  # signed by a CA that is gone
                old.unlink()
        ca = trustme.CA.from_pem(self.ca.read_bytes(), key.read_bytes())
        for name in names:
            if not (self.both(name).exists() and self.certificate(name).exists()):
                self._write(name, ca.issue_cert(HOST, "localhost", common_name=name))

    def _write(self, name: str, made: Any) -> None:
        from cryptography.hazmat.primitives import serialization as forms

        key = forms.load_pem_private_key(made.private_key_pem.bytes(), None)
        # Kafka reads a key in this form alone.
        private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode()
        public = made.cert_chain_pems[0].bytes().decode()
        write_private(self.key(name), private)
        self.certificate(name).write_text(public, "utf-8")
        write_private(self.both(name), private + public)
