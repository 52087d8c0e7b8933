# SPDX-License-Identifier: Apache-2.0
"""Certificates made for the test, by openssl."""
import pathlib
import ssl
import subprocess


def run(*command):
    subprocess.run([str(c) for c in command], check=True, capture_output=True)


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "30", "-subj", "/CN=Test CA", "-keyout", self.key, "-out", self.cert)

    def issue(self, file, *names, days=30):
        """(cert, key) for DNS names and IP addresses."""
        cert, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        request = self.folder / f"{file}.csr"
        extension = self.folder / f"{file}.ext"
        kinds = [("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names]
        extension.write_text("subjectAltName=" + ",".join(kinds) + "\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
            "-CAcreateserial", "-days", days, "-extfile", extension, "-out", cert)
        return cert, key

    def client(self, **options):
        """A context that trusts only this authority."""
        context = ssl.create_default_context(cafile=str(self.cert))
        for name, value in options.items():
            setattr(context, name, value)
        return context

    def server(self, cert, key, client_ca=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(cert), str(key))
        if client_ca:
            context.load_verify_locations(str(self.cert))
            context.verify_mode = ssl.CERT_REQUIRED
        return context
