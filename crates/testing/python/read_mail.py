"""Reads mails as Python's `email` package does: an opinion that is independent of the code that wrote them.

usage: read_mail.py FILE...    prints one JSON line for each
"""

import json
import sys
from email import message_from_bytes, message_from_string, policy
from email.header import decode_header, make_header
from email.utils import getaddresses


def read(raw):
    """Headers, envelope-like addresses, every part, and every complaint of the parser."""
    if raw.isascii():
        message = message_from_bytes(raw, policy=policy.default)
    else:
        # Headers in UTF-8 (RFC 6532), which the parser takes from texts only.
        message = message_from_string(raw.decode(), policy=policy.SMTPUTF8)
    body = message.get_body(preferencelist=("html", "plain"))
    return {
        "headers": [[name, str(value)] for name, value in message.items()],
        "addresses": {name: addresses(raw, name) for name in ("From", "To", "Cc", "Reply-To")},
        "subject": str(message["Subject"]),
        "message_id": str(message["Message-ID"]),
        "kind": body.get_content_type() if body else None,
        "text": body.get_content() if body else None,
        "tree": tree(message),
        "parts": [part(one) for one in message.walk() if not one.is_multipart()],
        "defects": defects(message),
        "longest": max(len(line) for line in raw.split(b"\r\n")),
        "bare": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
    }


def addresses(raw, name):
    """Names and addresses, by the older interface: the newer one puts blanks between encoded words of a name."""
    values = message_from_string(raw.decode(), policy=policy.compat32).get_all(name, [])
    found = getaddresses([value.replace("\r\n", "").replace("\n", "") for value in values])
    return [[str(make_header(decode_header(display))), address] for display, address in found if address]


def tree(message):
    """`multipart/mixed[text/plain, ...]`."""
    if not message.is_multipart():
        return message.get_content_type()
    inner = ", ".join(tree(one) for one in message.iter_parts())
    return f"{message.get_content_type()}[{inner}]"


def part(message):
    content = message.get_content()
    return {
        "kind": message.get_content_type(),
        "charset": message.get_content_charset(),
        "encoding": str(message["Content-Transfer-Encoding"]),
        "disposition": message.get_content_disposition(),
        "name": message.get_filename(),
        "content": content if isinstance(content, str) else content.decode(),
    }


def defects(message):
    found = [str(defect) for one in message.walk() for defect in one.defects]
    for one in message.walk():
        for name, value in one.items():
            found += [f"{name}: {defect!r}" for defect in getattr(value, "defects", ())]
    return found


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, "rb") as mail:
            print(json.dumps(read(mail.read())))
