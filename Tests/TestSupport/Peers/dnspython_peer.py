"""Reads and writes DNS messages and record texts with dnspython, for comparison.

    /usr/bin/python3 dnspython_peer.py INPUT OUTPUT

Both files are JSON. INPUT: {"parse": [message in hex], "build": [[record]], "texts": [{"type", "text"}]} where a record
is {"name", "type", "ttl", "data"} with name and data in uncompressed wire form in hex. OUTPUT has the same keys: for
"parse" lists of records (with "class", and the data's "text" besides), for "build" messages in hex with names compressed
as dnspython does it, for "texts" data in hex; an object with "error" stands for whatever was refused.
"""

import json
import sys

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

IN = dns.rdataclass.IN


def guarded(function, argument):
    try:
        return function(argument)
    except Exception as error:  # whatever it is, it is the answer
        return {"error": f"{type(error).__name__}: {error}"}


def parse(message):
    parsed = dns.message.from_wire(bytes.fromhex(message), one_rr_per_rrset=True)
    return {
        "records": [
            {
                "name": rrset.name.to_wire().hex(),
                "type": int(rrset.rdtype),
                "class": int(rrset.rdclass),
                "ttl": rrset.ttl,
                "data": rdata.to_wire().hex(),
                "text": rdata.to_text(),
            }
            for rrset in parsed.answer
            for rdata in rrset
        ]
    }


def build(records):
    message = dns.message.Message(id=0)
    message.flags = dns.flags.QR
    for record in records:
        name = dns.name.from_wire(bytes.fromhex(record["name"]), 0)[0]
        data = bytes.fromhex(record["data"])
        rdata = dns.rdata.from_wire(IN, record["type"], data, 0, len(data))
        message.answer.append(dns.rrset.from_rdata(name, record["ttl"], rdata))
    return {"message": message.to_wire(max_size=65535).hex()}


def text(entry):
    kind = dns.rdatatype.from_text(entry["type"])
    return {"data": dns.rdata.from_text(IN, kind, entry["text"]).to_wire().hex()}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        work = json.load(file)
    result = {
        "parse": [guarded(parse, item) for item in work["parse"]],
        "build": [guarded(build, item) for item in work["build"]],
        "texts": [guarded(text, item) for item in work["texts"]],
    }
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(result, file)


main()
