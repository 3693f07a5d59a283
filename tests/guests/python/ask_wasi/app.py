"""A formatter that tries all that WASI could let it do, and puts what it saw into the body.

The engine must link a WASI without folders, environment, arguments and sockets. A build whose reason says `sleep`
makes it sleep for a minute, which the deadline must stop: WASI's sleep is a host call.
"""

# What is imported inside a function is not there when the component runs; sockets ask for the codec of names only then.
import encodings.idna  # noqa: F401
import os
import socket
import subprocess
import sys
import time

import wit_world
from wit_world.exports.message_formatter import Kind, Message


def attempt(what, action):
    """One line: what was tried and what came of it."""
    try:
        return f"{what}: got {action()!r}"
    except BaseException as error:
        return f"{what}: {type(error).__name__}: {error}"


def read(path):
    with open(path, "rb") as file:
        return file.read(200)


def write(path):
    with open(path, "wb") as file:
        return file.write(b"a trace")


def connect(address):
    with socket.socket() as connection:
        connection.connect(address)
        return connection.getpeername()


def send_packet(address):
    with socket.socket(type=socket.SOCK_DGRAM) as packets:
        return packets.sendto(b"a trace", address)


def listen():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener.getsockname()


def look_around():
    attempts = [(f"list {path}", lambda path=path: os.listdir(path)) for path in ("/", ".", "..", "/tmp")]
    files = ("/etc/passwd", "../../etc/passwd", "campanile.toml")
    attempts += [(f"read {path}", lambda path=path: read(path)) for path in files]
    attempts += [(f"write {path}", lambda path=path: write(path)) for path in ("/tmp/ask-wasi", "ask-wasi")]
    attempts += [
        ("environment", lambda: dict(os.environ)),
        ("arguments", lambda: sys.argv),
        ("standard input", lambda: sys.stdin.read(200)),
        ("connect 127.0.0.1:22", lambda: connect(("127.0.0.1", 22))),
        ("connect example.org:80", lambda: connect(("example.org", 80))),
        ("send a packet to 127.0.0.1:53", lambda: send_packet(("127.0.0.1", 53))),
        ("look up localhost", lambda: socket.getaddrinfo("localhost", 80)),
        ("listen", listen),
        ("run a program", lambda: subprocess.run(["true"]).returncode),
    ]
    return [attempt(what, action) for what, action in attempts]


class MessageFormatter(wit_world.exports.MessageFormatter):
    def format_message(self, mode, name, build, results):
        lines = look_around()
        if "sleep" in build.reason:
            before = time.monotonic()
            time.sleep(60)
            lines.append(f"slept for {time.monotonic() - before:.0f} s")
        print("a line on standard output")
        print("a line on standard error", file=sys.stderr)
        return Message(None, "\n".join(lines), Kind.PLAIN, None, [("X-Attempts", str(len(lines)))])
