"""An SMTP server for the tests: STARTTLS and AUTH by aiosmtpd, mails kept as JSON lines, answers as told in a file.

usage: smtp_server.py FOLDER PORT [--starttls] [--auth USER:PASSWORD]
"""

import asyncio
import datetime
import ipaddress
import json
import ssl
import sys
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def make_certificate(folder):
    """A certificate for 127.0.0.1 and localhost, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


class Keeper:
    def __init__(self, folder):
        self.folder = folder

    def behaviour(self):
        try:
            return json.loads((self.folder / "behaviour.json").read_text())
        except FileNotFoundError:
            return {}

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = self.behaviour().get("mail")
        if answer:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.behaviour().get("rcpt", {}).get(address)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.behaviour().get("data")
        if answer == "drop":
            # Taken over, but the client never learns of it.
            self.keep(session, envelope)
            server.transport.abort()
            return "451 gone"
        if answer:
            return answer
        self.keep(session, envelope)
        return "250 kept"

    def keep(self, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(preferencelist=("html", "plain"))
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": getattr(session.auth_data, "login", b"").decode() if session.auth_data else None,
            "headers": [[name, str(value)] for name, value in message.items()],
            "subject": str(message["Subject"]),
            "message_id": str(message["Message-ID"]),
            "kind": body.get_content_type() if body else None,
            "text": body.get_content() if body else None,
            "defects": [str(defect) for defect in message.defects],
        }
        with open(self.folder / "mails.jsonl", "a") as log:
            log.write(json.dumps(mail) + "\n")


def main():
    folder, port, options = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    arguments = {}
    if "--starttls" in options:
        arguments["tls_context"] = make_certificate(folder)
    if "--auth" in options:
        user, password = options[options.index("--auth") + 1].split(":", 1)

        def check(server, session, envelope, mechanism, data):
            good = isinstance(data, LoginPassword) and (data.login, data.password) == (
                user.encode(),
                password.encode(),
            )
            return AuthResult(success=good, handled=False, auth_data=data if good else None)

        arguments.update(authenticator=check, auth_required=True, auth_require_tls="--starttls" in options)

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Keeper(folder), enable_SMTPUTF8=True, loop=loop, **arguments), "127.0.0.1", port
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
