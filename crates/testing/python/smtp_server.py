"""An SMTP server for the tests, by aiosmtpd: what it takes is kept as JSON lines, its answers are told in a file.

usage: smtp_server.py FOLDER PORT [OPTION...]
    --starttls            offers STARTTLS; its authority is FOLDER/ca.pem
    --smtps               TLS from the first byte
    --name HOST           the only name in its certificate (default: localhost and 127.0.0.1)
    --expired             its certificate is one of last year
    --inject              says more in the clear behind its answer to STARTTLS, as somebody on the way could
    --host ADDRESS        listens there (default: 127.0.0.1)
    --auth USER:PASSWORD  demands a login
    --mechanism NAME      offers this one only
    --size BYTES          the largest mail that it takes
    --without EXTENSION   does not offer 8BITMIME, SMTPUTF8, PIPELINING or SIZE
"""

import argparse
import asyncio
import datetime
import hashlib
import hmac
import ipaddress
import json
import logging
import ssl
import warnings
from pathlib import Path

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword, auth_mechanism

import read_mail


def make_certificate(folder, name, expired):
    """A certificate for 127.0.0.1 and localhost or for `name`, and the authority that signed it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject, key, days, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("the authority of the tests"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(authority_key, hashes.SHA256())

    def pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(
        "the authority of the tests", authority_key, 2, (x509.BasicConstraints(ca=True, path_length=0), True)
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if name:
        names = [x509.DNSName(name)]
    own = certificate(
        name or "localhost", key, -30 if expired else 2, (x509.SubjectAlternativeName(names), False)
    )
    (folder / "chain.pem").write_bytes(pem(own) + pem(authority))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    # A file with several authorities, the right one last.
    other = ec.generate_private_key(ec.SECP256R1())
    strange = certificate("nobody", other, 2, (x509.BasicConstraints(ca=True, path_length=0), True))
    (folder / "ca.pem").write_bytes(pem(strange) + pem(authority))
    return context


class Server(SMTP):
    """aiosmtpd's, with what it lacks."""

    inject = False

    async def push(self, status):
        if self.inject and isinstance(status, str) and status.startswith("220 Ready"):
            # All in one segment. The second answer would pass for the one to EHLO, the others for what follows.
            answers = [status, "250-evil", "250 AUTH PLAIN LOGIN", "235 welcome"] + ["250 gone"] * 3 + ["354 go", "250 ok"]
            status = "\r\n".join(answers)
        await super().push(status)


class Keeper:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options

    def behaviour(self):
        try:
            return json.loads((self.folder / "behaviour.json").read_text())
        except FileNotFoundError:
            return {}

    def tell(self, name, value):
        with open(self.folder / name, "a") as log:
            log.write(json.dumps(value) + "\n")

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        responses.insert(1, "250-PIPELINING")
        left_out = [*self.options.without, *([] if self.options.auth else ["AUTH"])]
        kept = [line for line in responses if line[4:].split(" ")[0] not in left_out]
        if self.options.mechanism:
            auth = f"250-AUTH {self.options.mechanism}"
            kept = [auth if line.startswith("250-AUTH") else line for line in kept]
        self.tell("hellos.jsonl", {"name": hostname, "tls": encrypted(server)})
        return kept

    @auth_mechanism("CRAM-MD5")
    async def auth_CRAM__MD5(self, server, args):
        challenge = "<1896.697170952@localhost>"
        answer = await server.challenge_auth(challenge)
        if answer is MISSING:
            return AuthResult(success=False)
        user, _, digest = answer.decode().rpartition(" ")
        wanted_user, wanted = self.options.auth.split(":", 1)
        good = hmac.new(wanted.encode(), challenge.encode(), hashlib.md5).hexdigest() == digest
        if self.behaviour().get("cram") == "broken":
            good = False
        self.tell("logins.jsonl", {"mechanism": "CRAM-MD5", "tls": encrypted(server)})
        data = LoginPassword(user.encode(), b"")
        return AuthResult(success=good and user == wanted_user, handled=False, auth_data=data)

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = self.behaviour().get("mail")
        if answer:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tell("named.jsonl", address)
        answer = self.behaviour().get("rcpt", {}).get(address)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.behaviour().get("data")
        if answer == "drop":
            # Taken over, but the client never learns of it.
            self.keep(server, session, envelope)
            server.transport.abort()
            return "451 gone"
        if answer:
            return answer
        if len(envelope.original_content) > self.behaviour().get("room", 2**30):
            return "552 5.3.4 too large for me"
        self.keep(server, session, envelope)
        return "250 kept"

    def keep(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "bytes": len(envelope.original_content),
            "tls": encrypted(server),
            "hello": session.host_name,
            "user": session.auth_data.login.decode() if session.auth_data else None,
        }
        self.tell("mails.jsonl", mail | read_mail.read(envelope.original_content))


def encrypted(server):
    """The version of TLS, if any."""
    session = server.transport.get_extra_info("ssl_object")
    return session.version() if session else None


def main():
    # It warns of logins in the clear and of handshakes that fail, which are what some tests are about.
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    for flag in ("--starttls", "--smtps", "--expired", "--inject"):
        parser.add_argument(flag, action="store_true")
    for option in ("--name", "--auth", "--mechanism"):
        parser.add_argument(option)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--size", type=int, default=2**25)
    parser.add_argument("--without", action="append", default=[])
    options = parser.parse_args()
    folder, keeper = options.folder, Keeper(options.folder, options)

    context = make_certificate(folder, options.name, options.expired) if options.starttls or options.smtps else None
    arguments = {"data_size_limit": options.size, "enable_SMTPUTF8": "SMTPUTF8" not in options.without}
    if options.starttls:
        arguments["tls_context"] = context
    if options.auth:
        user, password = options.auth.split(":", 1)

        def check(server, session, envelope, mechanism, data):
            keeper.tell("logins.jsonl", {"mechanism": mechanism, "tls": encrypted(server)})
            good = (data.login, data.password) == (user.encode(), password.encode())
            return AuthResult(success=good, handled=False, auth_data=data if good else None)

        arguments.update(authenticator=check, auth_required=True, auth_require_tls=options.starttls)

    async def serve():
        loop = asyncio.get_running_loop()

        def protocol():
            server = Server(keeper, loop=loop, **arguments)
            server.inject = options.inject
            return server

        server = await loop.create_server(
            protocol, options.host, options.port, ssl=context if options.smtps else None
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
