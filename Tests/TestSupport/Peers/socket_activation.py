# Does what systemd does for a socket unit: opens the sockets of a DNS server, gives up being root, and runs a command.
#
#   socket_activation.py ADDRESS PORT USER COMMAND…     USER: a number, or - to stay who one is
#
# Port 0 is any free one; the command finds the sockets as sd_listen_fds(3) says.
import os
import socket
import sys

address, port, user = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for attempt in range(50):
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, port))
    streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        streams.bind(datagrams.getsockname())
        break
    except OSError:
        # The port is free for datagrams only.
        if port != 0 or attempt == 49:
            raise
        datagrams.close()
        streams.close()
streams.listen(64)
held = [os.dup(datagrams.fileno()), os.dup(streams.fileno())]
high = [os.dup2(descriptor, 100 + index) for index, descriptor in enumerate(held)]
for index, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + index, inheritable=True)
    os.close(descriptor)
if user != "-":
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="dns:dns")
os.execv(sys.argv[4], sys.argv[4:])
