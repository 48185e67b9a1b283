# SPDX-License-Identifier: Apache-2.0
"""Looks each argument up as a Python program does; a line each: NAME ADDRESS|none MILLISECONDS."""
import socket
import sys
import time

for name in sys.argv[1:]:
    start = time.monotonic()
    try:
        address = socket.getaddrinfo(name, 80)[0][4][0]
    except OSError:
        address = "none"
    print(name, address, int((time.monotonic() - start) * 1000))
