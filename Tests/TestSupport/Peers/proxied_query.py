# Asks a DNS server over TLS or HTTPS as a load balancer would that takes encrypted connections as they are: in front of the
# handshake it says who the client is (PROXY protocol, version 2).
#
#   proxied_query.py PORT CLIENT NAME AUTHORITY tls|https
#
# CLIENT is an IPv4 address, AUTHORITY a PEM file. Prints the addresses in the answer, one a line.
import json
import socket
import ssl
import struct
import sys

port, client, name, authority, kind = int(sys.argv[1]), *sys.argv[2:6]
stream = socket.create_connection(("127.0.0.1", port))
addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, port)
stream.sendall(b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack("!H", len(addresses)) + addresses)
context = ssl.create_default_context(cafile=authority)
stream = context.wrap_socket(stream, server_hostname="localhost")

if kind == "https":
    stream.sendall(f"GET /resolve?name={name} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    answer = b""
    while part := stream.recv(4096):
        answer += part
    for record in json.loads(answer.partition(b"\r\n\r\n")[2])["Answer"]:
        print(record["data"])
else:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = bytes.fromhex("1234 0100 0001 0000 0000 0000") + labels + bytes.fromhex("00 0001 0001")
    stream.sendall(struct.pack("!H", len(query)) + query)
    answer = stream.recv(4096)
    while len(answer) < 2 or len(answer) < 2 + struct.unpack("!H", answer[:2])[0]:
        answer += stream.recv(4096)
    # One A record, whose data are the last four bytes.
    print(socket.inet_ntoa(answer[-4:]))
