#!/usr/bin/env python3
"""forward: lets this machine's browser into a network namespace: connections to 127.0.0.1:PORT are made on from there.

    forward.py NETNS PORT ADDRESS ADDRESS_PORT

It is a way in and none out: it opens no connection that nobody asked for from outside. Needs root.
"""
import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, address):
    try:
        with client, socket.create_connection(address, timeout=10) as server:
            server.settimeout(None)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()
    except OSError as e:
        print(f"{address[0]}:{address[1]}: {e}", file=sys.stderr)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    netns, port, address = sys.argv[1], int(sys.argv[2]), (sys.argv[3], int(sys.argv[4]))
    listener = socket.create_server(("127.0.0.1", port))
    # The listener stays where it was made; what is opened from now on, in this thread and its children, is in there.
    with open(netns, "rb") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) != 0:
            sys.exit(f"{netns}: {os.strerror(ctypes.get_errno())}")
    print(f"http://127.0.0.1:{port}/", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, address), daemon=True).start()


main()
