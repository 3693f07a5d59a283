"""The peer of the mail figures: a plain loop over Python's smtplib, as a script in a CI would have it.

usage: smtplib_loop.py PORT MAILS RECIPIENTS ATTACHED_BYTES    prints mails per second
"""

import smtplib
import sys
import time
from email.message import EmailMessage

port, mails, recipients, attached = map(int, sys.argv[1:])
TEXT = """Campanile reports a failed build on builder bench-{n} while building bells. Full details:
    https://ci.example.org/builders/bench-{n}/builds/{n}

Worker: w1

Reason: a push
Source: [branch main] 1f0c2d
Responsible: ada

The build failed: failed compile
"""

began = time.monotonic()
with smtplib.SMTP("127.0.0.1", port) as relay:
    for n in range(mails):
        message = EmailMessage()
        message["Subject"] = f"failure in CI on bench-{n}"
        message["From"] = "ci@example.org"
        message["To"] = ", ".join(f"r{m}@example.org" for m in range(recipients))
        message.set_content(TEXT.format(n=n))
        if attached:
            log = "a line of a log with forty-eight bytes, or so...\n" * (attached // 49)
            message.add_attachment(log, filename="compile.stdio")
        relay.send_message(message)
print(mails / (time.monotonic() - began))
