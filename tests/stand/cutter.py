#!/usr/bin/env python3
"""cutter: a line that breaks. Passes TCP on to --to and cuts a connection once it carried --after bytes, --times times.

DIR/facts holds `address=` once it listens, DIR/cuts a line per cut. Both ways count. Of the tests' own.
"""
import argparse
import os
import select
import socket
import struct
import threading


class Line:
    """What is left to cut, over all connections."""

    def __init__(self, args):
        self.args = args
        self.left = args.times
        self.lock = threading.Lock()
        self.cuts = open(os.path.join(args.dir, "cuts"), "a", encoding="ascii")

    def cut(self, carried):
        if carried < self.args.after:
            return False
        with self.lock:
            if self.left <= 0:
                return False
            self.left -= 1
            self.cuts.write(f"{carried}\n")
            self.cuts.flush()
            return True


def carry(line, near, far):
    carried = 0
    while True:
        for source in select.select([near, far], [], [])[0]:
            piece = source.recv(65536)
            carried += len(piece)
            if not piece:
                return
            (far if source is near else near).sendall(piece)
            if line.cut(carried):
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


def connection(line, near):
    host, _, port = line.args.to.rpartition(":")
    try:
        with near, socket.create_connection((host, int(port))) as far:
            carry(line, near, far)
    except OSError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--after", type=int, required=True, metavar="BYTES")
    parser.add_argument("--times", type=int, default=1, metavar="N")
    parser.add_argument("--dir", required=True, metavar="DIR")
    line = Line(parser.parse_args())
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(os.path.join(line.args.dir, "facts.new"), "w", encoding="ascii") as f:
        f.write(f"address=127.0.0.1:{server.getsockname()[1]}\n")
    os.rename(f.name, f.name[:-4])
    while True:
        threading.Thread(target=connection, args=(line, server.accept()[0]), daemon=True).start()


if __name__ == "__main__":
    main()
