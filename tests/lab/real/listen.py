"""Listens on TCP ports and accepts nothing: python3 -m real.listen ADDRESS PORT...

It prints "ready" when all are open, and ends when killed."""

import signal
import socket
import sys


def main(address, *ports):
    listeners = [socket.create_server((address, int(port)), backlog=16) for port in ports]
    print("ready", flush=True)
    signal.pause()
    return listeners


if __name__ == "__main__":
    main(*sys.argv[1:])
