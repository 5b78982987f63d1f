"""bench/pyftpdlib_server.py DIR: pyftpdlib, anonymous, without limits.

SPDX-License-Identifier: Apache-2.0
"""
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


def main() -> None:
    logging.disable(logging.CRITICAL)
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(sys.argv[1])
    FTPHandler.authorizer = authorizer
    FTPHandler.timeout = 0
    server = FTPServer(("127.0.0.1", 21), FTPHandler)
    server.max_cons = 20000
    server.max_cons_per_ip = 0
    server.serve_forever(handle_exit=False)


main()
