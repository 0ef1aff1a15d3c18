#!/usr/bin/python3
"""DHT nodes of libtorrent on loopback, driven by JSON lines: the foreign peer of the interoperability tests.

    libtorrent_node.py [--nodes N] [--bootstrap 127.0.0.1:PORT]... [--default-limits] [--read-only]

Prints {"event": "ready", "version": ..., "pid": ..., "nodes": ["127.0.0.1:PORT", ...]} and then answers one command a
line, in any order, with the command's "id", "ok" and what the table says. It ends at the end of its input.

    put            seed, value, [salt], [node]    stored, seq, signature, key    (libtorrent chooses seq: found + 1)
    get            key, [salt], [node], [first]   value, seq, signature          (of the last answer, or the first item)
    put_immutable  value, [node]                  stored, target
    get_immutable  target, [node]                 value
    add            address                        every node pings that address and keeps it as an ordinary neighbour
    knows          address, [node]                ok as soon as the node's table holds that address
    stop           node                           ends that node
    query          to, method, arguments, [seed]  reply, bytes: one hand-made KRPC query from a socket of its own
    sign           seed, seq, value, [salt]       key, signature

Seeds, keys, targets, values, salts and signatures are hexadecimal. In "arguments" and "reply" a bencoded string is
{"hex": ...}; plain text may be given for arguments. Every command may carry "timeout" in seconds (10 unless told).

Nothing leaves this machine: local discovery, port mapping and the default routers are off, and every address that is
not a loopback address is refused. All nodes share one address, so libtorrent's rules of one node for each address are
off, and so are its limits for each address (50 packets in 10 s, then silence for five minutes; 8000 bytes/s of answers)
unless --default-limits is given (its settings dht_block_ratelimit, dht_block_timeout, dht_upload_rate_limit).
"""
import argparse
import ctypes
import hashlib
import ipaddress
import json
import os
import select
import socket
import sys
import time
import warnings

import libtorrent

# Old calls of the binding are the only ones that count neighbours.
warnings.simplefilter("ignore", DeprecationWarning)


# Bencoding, as far as tests need it.

def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:" % len(value) + value
    if isinstance(value, list):
        return b"l" + b"".join(encode(item) for item in value) + b"e"
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"


def decode(data):
    """The value that `data` begins with. Only for answers of nodes under test: it recurses."""
    def value(position):
        first = data[position:position + 1]
        if first == b"i":
            end = data.index(b"e", position)
            return int(data[position + 1:end]), end + 1
        if first in (b"l", b"d"):
            items, position = [], position + 1
            while data[position:position + 1] != b"e":
                item, position = value(position)
                items.append(item)
            if first == b"d":
                return dict(zip(items[::2], items[1::2])), position + 1
            return items, position + 1
        colon = data.index(b":", position)
        end = colon + 1 + int(data[position:colon])
        return data[colon + 1:end], end
    return value(0)[0]


def from_json(value):
    if isinstance(value, dict) and set(value) == {"hex"}:
        return bytes.fromhex(value["hex"])
    if isinstance(value, dict):
        return {key.encode(): from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return value.encode() if isinstance(value, str) else value


def to_json(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key.decode("latin-1"): to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


# Ed25519 by libsodium.

SODIUM = ctypes.CDLL("libsodium.so.23")
assert SODIUM.sodium_init() >= 0


def key_pair(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    assert len(seed) == 32, "a seed has 32 bytes"
    SODIUM.crypto_sign_seed_keypair(public, secret, seed)
    return public.raw, secret.raw


def sign(seed, message):
    signature = ctypes.create_string_buffer(64)
    SODIUM.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), key_pair(seed)[1])
    return signature.raw


def expanded(seed):
    """The form of a secret key that libtorrent takes: the clamped scalar and the prefix (RFC 8032 section 5.1.5)."""
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 0xf8
    digest[31] = digest[31] & 0x7f | 0x40
    return bytes(digest)


def signable(seq, value, salt):
    """What BEP 44 signs; `value` is bencoded."""
    return (b"4:salt" + encode(salt) if salt else b"") + b"3:seq" + encode(seq) + b"1:v" + value


def raw(value):
    """The bindings of libtorrent 2.0 and 2.1 give some byte strings as text."""
    return value.encode() if isinstance(value, str) else bytes(value)


def endpoint(text):
    host, port = text.rsplit(":", 1)
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{text} is not a loopback address")
    return host, int(port)


def ask(address, method, arguments, timeout):
    """The answer to one hand-made query, decoded, and its size; None without one."""
    message = {b"a": {b"id": os.urandom(20), **arguments}, b"q": method.encode(), b"t": os.urandom(4), b"y": b"q"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        channel.connect(address)
        channel.settimeout(timeout)
        try:
            channel.send(encode(message))
            while True:
                data = channel.recv(4096)
                reply = decode(data)
                if reply.get(b"t") == message[b"t"] and reply.get(b"y") in (b"r", b"e"):
                    return reply, len(data)
        except (socket.timeout, ConnectionRefusedError):
            return None, 0


class Node:
    """One libtorrent session that does nothing but DHT."""

    def __init__(self, options):
        # libtorrent takes a free TCP port and then wants the UDP port of the same number, which somebody else may have:
        # then it has no DHT, and who asks there reaches the other.
        for _ in range(10):
            self.start(options)
            reply, _ = ask(self.address, "ping", {}, 2)
            if reply and reply.get(b"v", b"").startswith(b"LT"):
                return
        raise RuntimeError("libtorrent gets no port")

    def start(self, options):
        kinds = libtorrent.alert.category_t
        settings = {
            "listen_interfaces": "127.0.0.1:0",
            "dht_bootstrap_nodes": "",
            "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
            "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
            "dht_enforce_node_id": False, "dht_prefer_verified_node_ids": False, "dht_ignore_dark_internet": False,
            "dht_read_only": options.read_only,
            "alert_mask": kinds.dht_notification | kinds.dht_operation_notification | kinds.status_notification,
            "alert_queue_size": 100_000,
            "enable_dht": True,
        }
        if not options.default_limits:
            settings |= {"dht_block_ratelimit": 10_000_000, "dht_block_timeout": 1, "dht_upload_rate_limit": 10 ** 9}
        self.session = libtorrent.session(settings)
        deadline = time.monotonic() + 10
        while not (self.session.is_listening() and self.session.is_dht_running()):
            assert time.monotonic() < deadline, "libtorrent does not start"
            time.sleep(0.005)
        self.address = ("127.0.0.1", self.session.listen_port())

    def neighbours(self):
        return self.session.status().dht_nodes


class Operation:
    """A command whose answer comes later: `step` looks at an alert (or None, now and then) and returns the answer."""

    def __init__(self, swarm, command, step):
        self.id = command.get("id")
        self.node = command.get("node", 0)
        self.step = step
        self.deadline = time.monotonic() + command.get("timeout", 10)
        swarm.operations.append(self)


class Swarm:
    def __init__(self, options):
        self.operations = []
        self.nodes = dict(enumerate(Node(options) for _ in range(options.nodes)))
        for node in self.nodes.values():
            for other in [peer.address for peer in self.nodes.values() if peer is not node]:
                node.session.add_dht_node(other)
            for address in options.bootstrap:
                node.session.add_dht_node(endpoint(address))
        # A bucket of libtorrent holds eight.
        enough = min(len(self.nodes) - 1 + len(options.bootstrap), 6)
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline and any(node.neighbours() < enough for node in self.nodes.values()):
            time.sleep(0.01)

    def pump(self):
        now = time.monotonic()
        for index, node in self.nodes.items():
            alerts = node.session.pop_alerts()
            for operation in [each for each in self.operations if each.node == index]:
                for alert in [*alerts, None]:
                    answer = operation.step(alert)
                    if answer is None and alert is None and now > operation.deadline:
                        answer = {"ok": False, "error": "timeout"}
                    if answer is not None:
                        self.operations.remove(operation)
                        emit(id=operation.id, **answer)
                        break

    def run(self, command):
        getattr(self, "do_" + command["command"])(command)

    def session(self, command):
        return self.nodes[command.get("node", 0)].session

    def do_put(self, command):
        seed, salt = bytes.fromhex(command["seed"]), bytes.fromhex(command.get("salt", ""))
        key = key_pair(seed)[0]

        def step(alert):
            if type(alert).__name__ == "dht_put_alert" and raw(alert.public_key) == key and raw(alert.salt) == salt:
                return dict(ok=alert.num_success > 0, stored=alert.num_success, seq=alert.seq, key=key.hex(),
                            signature=raw(alert.signature).hex())
            return None
        Operation(self, command, step)
        self.session(command).dht_put_mutable_item(expanded(seed), key, bytes.fromhex(command["value"]), salt)

    def do_get(self, command):
        key, salt = bytes.fromhex(command["key"]), bytes.fromhex(command.get("salt", ""))
        best = {}

        def step(alert):
            if type(alert).__name__ != "dht_mutable_item_alert" or raw(alert.key) != key or raw(alert.salt) != salt:
                return None
            try:  # The binding cannot read the item of an alert that says "not found".
                value = alert.item["value"] if isinstance(alert.item, dict) else alert.item
            except RuntimeError:
                value = None
            if isinstance(value, bytes) and (value or alert.seq):
                best.update(ok=True, value=value.hex(), seq=alert.seq, signature=raw(alert.signature).hex())
                if command.get("first"):
                    return best
            return (best or dict(ok=False, error="not found")) if alert.authoritative else None
        Operation(self, command, step)
        self.session(command).dht_get_mutable_item(key, salt)

    def do_put_immutable(self, command):
        value = bytes.fromhex(command["value"])
        target = hashlib.sha1(encode(value)).digest()

        def step(alert):
            if type(alert).__name__ == "dht_put_alert" and alert.target.to_bytes() == target:
                return dict(ok=alert.num_success > 0, stored=alert.num_success, target=target.hex())
            return None
        Operation(self, command, step)
        self.session(command).dht_put_immutable_item(value)

    def do_get_immutable(self, command):
        target = bytes.fromhex(command["target"])

        def step(alert):
            if type(alert).__name__ != "dht_immutable_item_alert" or alert.target.to_bytes() != target:
                return None
            try:
                value = alert.item["value"] if isinstance(alert.item, dict) else alert.item
            except RuntimeError:
                value = None
            if isinstance(value, bytes):
                return dict(ok=True, value=value.hex())
            return dict(ok=False, error="not found")
        Operation(self, command, step)
        self.session(command).dht_get_immutable_item(libtorrent.sha1_hash(target))

    def do_add(self, command):
        for node in self.nodes.values():
            node.session.add_dht_node(endpoint(command["address"]))
        emit(id=command.get("id"), ok=True)

    def do_knows(self, command):
        address, session = endpoint(command["address"]), self.session(command)
        asked = [0.0]

        def step(alert):
            if alert is None and time.monotonic() - asked[0] > 0.1:
                asked[0] = time.monotonic()
                for identifier in self.identifiers(session):
                    session.dht_live_nodes(libtorrent.sha1_hash(identifier))
            if type(alert).__name__ == "dht_live_nodes_alert" \
                    and any(tuple(node["endpoint"]) == address for node in alert.nodes):
                return dict(ok=True)
            return None
        Operation(self, command, step)

    def do_stop(self, command):
        self.nodes.pop(command["node"]).session.apply_settings({"enable_dht": False})
        emit(id=command.get("id"), ok=True)

    def do_query(self, command):
        reply, size = ask(endpoint(command["to"]), command["method"], from_json(command.get("arguments", {})),
                          command.get("timeout", 2))
        if reply is None:
            emit(id=command.get("id"), ok=False, error="no answer")
        else:
            emit(id=command.get("id"), ok=reply[b"y"] == b"r", reply=to_json(reply), bytes=size)

    def do_sign(self, command):
        seed, salt = bytes.fromhex(command["seed"]), bytes.fromhex(command.get("salt", ""))
        value = encode(bytes.fromhex(command["value"]))
        emit(id=command.get("id"), ok=True, key=key_pair(seed)[0].hex(),
             signature=sign(seed, signable(command["seq"], value, salt)).hex())

    @staticmethod
    def identifiers(session):
        state = session.save_state(0x04).get(b"dht state", {}).get(b"node-id", [])
        return [entry[:20] for entry in (state if isinstance(state, list) else [state])]


def emit(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--bootstrap", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--default-limits", action="store_true", help="keep libtorrent's limits for each address")
    parser.add_argument("--read-only", action="store_true", help="ask only (BEP 43)")
    swarm = Swarm(parser.parse_args())
    emit(event="ready", version=libtorrent.__version__, pid=os.getpid(),
         nodes=["%s:%d" % node.address for node in swarm.nodes.values()])
    pending = b""
    while True:
        if select.select([0], [], [], 0.005)[0]:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                command = {}
                try:
                    command = json.loads(line)
                    swarm.run(command)
                except Exception as error:  # A wrong command must not end the nodes of the test.
                    emit(id=command.get("id"), ok=False, error=f"{type(error).__name__}: {error}")
        swarm.pump()


if __name__ == "__main__":
    main()
