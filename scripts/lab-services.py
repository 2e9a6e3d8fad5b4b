"""The small servers of a practice host, as the first machines on the Internet had them: python3 lab-services.py ADDRESS...

echo says what it hears (RFC 862, port 7), discard hears and says nothing (RFC 863, port 9), both over TCP and UDP;
daytime tells the time and hangs up (RFC 867, port 13, TCP only). It ends when killed.
"""

import contextlib
import selectors
import socket
import sys
import time

ECHO, DISCARD, DAYTIME = 7, 9, 13
BUFFER = 65536


def datagram(server, port):
    data, sender = server.recvfrom(BUFFER)
    if port == ECHO:
        server.sendto(data, sender)


def connection(client, port, selector):
    data = b""
    with contextlib.suppress(OSError):  # a reset, or a reader that does not read
        data = client.recv(BUFFER)
        if data and port == ECHO:
            client.send(data)
    if not data:
        selector.unregister(client)
        client.close()


def accept(server, port, selector):
    client, _ = server.accept()
    if port == DAYTIME:
        with client:
            client.send(time.strftime("%A, %B %d, %Y %H:%M:%S\r\n").encode())
        return
    client.setblocking(False)
    selector.register(client, selectors.EVENT_READ, lambda: connection(client, port, selector))


def main(addresses):
    selector = selectors.DefaultSelector()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in (ECHO, DISCARD, DAYTIME):
            server = socket.create_server((address, port), family=family)
            selector.register(server, selectors.EVENT_READ, lambda s=server, p=port: accept(s, p, selector))
        for port in (ECHO, DISCARD):
            server = socket.socket(family, socket.SOCK_DGRAM)
            server.bind((address, port))
            selector.register(server, selectors.EVENT_READ, lambda s=server, p=port: datagram(s, p))
    while True:
        for key, _ in selector.select():
            with contextlib.suppress(OSError):  # whoever scans resets his connections at any moment
                key.data()


if __name__ == "__main__":
    main(sys.argv[1:])
