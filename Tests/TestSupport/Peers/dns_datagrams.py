#!/usr/bin/env python3
"""Sends DNS messages to a server on this machine over UDP and prints what it answers.

usage: dns_datagrams.py PORT      one message a line on standard input, in hexadecimal; one answer a line, in hexadecimal,
                                  or an empty line if there is none within five seconds, three times
"""
import socket
import sys


def main():
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.connect(("127.0.0.1", int(sys.argv[1])))
    peer.settimeout(5)
    for line in sys.stdin:
        query = bytes.fromhex(line)
        answer = b""
        for _ in range(3):
            try:
                peer.send(query)
                answer = peer.recv(65535)
                while answer[:2] != query[:2]:
                    answer = peer.recv(65535)
                break
            except (TimeoutError, ConnectionRefusedError):
                answer = b""
        print(answer.hex())


if __name__ == "__main__":
    main()
