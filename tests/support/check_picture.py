#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_picture.py MANDELBROT: what the example writes into a file is a picture, and a terminal sees how far it is."""

import os
import pathlib
import pty
import subprocess
import sys
import tempfile

HEAD = b'P6 1920 1080 255\n'


def said_by(terminal):
    """All until the program has ended."""
    text = b''
    try:
        while piece := os.read(terminal, 4096):
            text += piece
    except OSError:  # how a terminal says that nobody is at its other end
        pass
    return text.decode()


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'picture.ppm'
        ours, its = pty.openpty()
        program = subprocess.Popen([sys.argv[1], path], stdout=subprocess.PIPE, stderr=its)
        os.close(its)
        bar = said_by(ours).strip().split('\r')
        assert program.wait() == 0
        assert program.stdout.read() == b''
        picture = path.read_bytes()
    assert picture.startswith(HEAD), picture[:40]
    assert len(picture) == len(HEAD) + 1920 * 1080 * 3, len(picture)
    # Its edge is blue, its middle black.
    assert picture[len(HEAD):][:3] == bytes((4, 3, 158)), picture[len(HEAD):][:3]
    middle = len(HEAD) + (540 * 1920 + 1200) * 3
    assert picture[middle:middle + 3] == bytes(3), picture[middle:middle + 3]
    assert bar[-1] == f'[{"#" * 40}] 100 %', bar[-1]
    shares = [int(each.split(']')[1].split('%')[0]) for each in bar]
    assert shares == sorted(shares), shares
    print(f'{len(picture)} bytes, {len(bar)} bars')


if __name__ == '__main__':
    main()
