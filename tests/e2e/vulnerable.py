# tests/e2e/vulnerable.py ADDRESS: an FTP server that believes everything.
# SPDX-License-Identifier: Apache-2.0
"""What the sensor is shown: it connects wherever PORT says, gives a passive
connection to whoever comes first, and keeps uploads for everybody."""

import re
import socket
import sys
import threading

PATIENCE_S = 2
FILES = {"README": b"Nothing to see.\n" * 40}


class Refused(Exception):
    pass


class Session:
    def __init__(self, sock):
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.address = self.listener = None

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def serve(self):
        self.say("220 FTP server ready.")
        for raw in self.lines:
            verb, _, arg = raw.decode("latin-1").strip().partition(" ")
            handler = getattr(self, verb.lower(), None)
            if verb.upper() == "QUIT":
                self.say("221 Bye.")
                return
            if handler is None or verb.lower() in ("say", "serve", "data"):
                self.say("502 Not here.")
            else:
                handler(arg)

    def user(self, _arg):
        self.say("331 Password, please.")

    def pass_(self, _arg):
        self.say("230 Welcome.")

    def type(self, _arg):
        self.say("200 Done.")

    def pwd(self, _arg):
        self.say('257 "/"')

    def syst(self, _arg):
        self.say("215 UNIX Type: L8")

    def port(self, arg):
        n = [int(x) for x in arg.split(",")]
        self.address = ".".join(map(str, n[:4])), n[4] << 8 | n[5]
        self.say("200 PORT command successful.")

    def pasv(self, _arg):
        here = self.sock.getsockname()[0]
        self.listener = socket.create_server((here, 0))
        port = self.listener.getsockname()[1]
        self.say(f"227 Entering Passive Mode ({here.replace('.', ',')},"
                 f"{port >> 8},{port & 255}).")

    def data(self):
        if self.listener is not None:
            listener, self.listener = self.listener, None
            with listener:
                return listener.accept()[0]
        address, self.address = self.address, None
        if address is None:
            raise Refused("Use PORT or PASV first.")
        try:
            return socket.create_connection(address, PATIENCE_S)
        except ConnectionRefusedError:
            raise Refused("Can't build data connection: "
                          "Connection refused.") from None
        except OSError:
            raise Refused("Can't build data connection: "
                          "Connection timed out.") from None

    def send(self, body):
        try:
            with self.data() as data:
                self.say("150 Here it comes.")
                data.sendall(body)
        except Refused as why:
            self.say(f"425 {why}")
        else:
            self.say("226 Transfer complete.")

    def list(self, _arg):
        self.send(b"".join(b"-rw-r--r-- 1 0 0 %d Jan 01 2020 %s\r\n" %
                           (len(body), name.encode())
                           for name, body in FILES.items()))

    nlst = list

    def retr(self, arg):
        self.send(FILES.get(arg, b""))

    def stor(self, arg):
        try:
            with self.data() as data:
                self.say("150 Send it.")
                FILES[arg] = b"".join(iter(lambda: data.recv(65536), b""))
        except Refused as why:
            self.say(f"425 {why}")
        else:
            self.say("226 Transfer complete.")


def handle(sock):
    with sock:
        try:
            Session(sock).serve()
        except OSError:
            pass


def main():
    setattr(Session, "pass", Session.pass_)
    listener = socket.create_server((sys.argv[1], 21))
    print("ready", flush=True)
    while True:
        sock = listener.accept()[0]
        threading.Thread(target=handle, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    assert re.match(r"[\d.]+$", sys.argv[1])
    main()
