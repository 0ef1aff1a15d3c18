// The data of DNS records on the wire. Each type is a list of fields; `data` has one value for each of them.
import { concat, fromBinary, toBinary } from './bytes.js';

/** A DNS message that is none. */
export class MessageFault extends Error {}

// name: may be compressed (RFC 1035 types); bare: never is. value, rest: the remaining bytes.
const ONE_NAME = ['name'];
const TWO_NAMES = ['name', 'name'];
const PREFERRED = ['u16', 'name'];
const BINDING = ['u16', 'bare', 'params'];
const SHAPES = {
  A: [1, ['ip4']], NS: [2, ONE_NAME], MD: [3, ONE_NAME], MF: [4, ONE_NAME], CNAME: [5, ONE_NAME],
  SOA: [6, ['name', 'name', 'u32', 'u32', 'u32', 'u32', 'u32']], MB: [7, ONE_NAME], MG: [8, ONE_NAME], MR: [9, ONE_NAME],
  PTR: [12, ONE_NAME], HINFO: [13, ['string', 'string']], MINFO: [14, TWO_NAMES], MX: [15, PREFERRED],
  TXT: [16, ['strings']], RP: [17, TWO_NAMES], AFSDB: [18, PREFERRED], ISDN: [20, ['string', 'string']],
  RT: [21, PREFERRED], 'NSAP-PTR': [23, ONE_NAME], AAAA: [28, ['ip6']], SRV: [33, ['u16', 'u16', 'u16', 'bare']],
  NAPTR: [35, ['u16', 'u16', 'string', 'string', 'string', 'bare']], KX: [36, ['u16', 'bare']],
  SVCB: [64, BINDING], HTTPS: [65, BINDING], CAA: [257, ['u8', 'tag', 'value']],
};
const TYPES = new Map(Object.entries(SHAPES).map(([name, [code, fields]]) => [code, { name, fields }]));

/** The fewest bytes of types that are kept as bytes, so that what others refuse is refused here too. */
const LEAST = { 11: 5, 22: 20, 29: 16, 37: 5, 43: 4, 45: 3, 46: 19, 48: 4, 49: 3, 63: 6, 108: 6, 109: 8 };

/** The mnemonic of a type, or `TYPE65280`. */
export const typeName = (code) => TYPES.get(code)?.name ?? `TYPE${code}`;

/** The number of a type by its mnemonic or as `TYPE65280`; null for anything else. */
export function typeCode(text) {
  const upper = text.toUpperCase();
  if (Object.hasOwn(SHAPES, upper)) return SHAPES[upper][0];
  const number = /^TYPE(\d{1,5})$/.exec(upper);
  return number && Number(number[1]) < 65536 ? Number(number[1]) : null;
}

/** The fields of a type that has a text form of its own; null for one that is kept as bytes. */
export const textFields = (code) => TYPES.get(code)?.fields ?? null;

const fieldsOf = (code) => textFields(code) ?? ['rest'];

/** Walks over bytes of a message, up to `end`; every read is checked. */
export class Reader {
  constructor(bytes, offset = 0, end = bytes.length) {
    Object.assign(this, { bytes, offset, end });
  }

  get remaining() {
    return this.end - this.offset;
  }

  raw(count) {
    if (count > this.remaining) throw new MessageFault('it is cut short');
    this.offset += count;
    return this.bytes.subarray(this.offset - count, this.offset);
  }

  uint(count) {
    return this.raw(count).reduce((value, byte) => value * 256 + byte, 0);
  }

  string() {
    return toBinary(this.raw(this.uint(1)));
  }

  /** A name, possibly compressed: pointers go strictly backwards, and 255 bytes are the end (RFC 1035 §4.1.4). */
  name() {
    const labels = [];
    let after = null;
    let position = this.offset;
    for (let length = 0; ;) {
      const end = after === null ? this.end : this.bytes.length;
      const byte = position < end ? this.bytes[position] : 256;
      if (byte > 255) throw new MessageFault('a name is cut short');
      if (byte === 0) break;
      if (byte >= 0xc0) {
        if (position + 1 >= end) throw new MessageFault('a name is cut short');
        const target = (byte & 0x3f) << 8 | this.bytes[position + 1];
        if (target >= position) throw new MessageFault('a name points forwards');
        after ??= position + 2;
        position = target;
        continue;
      }
      if (byte > 63) throw new MessageFault('a label is longer than 63 bytes');
      length += byte + 1;
      if (length >= 255) throw new MessageFault('a name is longer than 255 bytes');
      if (position + 1 + byte > end) throw new MessageFault('a name is cut short');
      labels.push(toBinary(this.bytes.subarray(position + 1, position + 1 + byte)));
      position += byte + 1;
    }
    this.offset = after ?? position + 1;
    return labels;
  }
}

/** Reads service parameters: `[key, value]` in strictly ascending order (RFC 9460 §2.2). */
function readParameters(reader) {
  const parameters = [];
  while (reader.remaining > 0) {
    const [key, length] = [reader.uint(2), reader.uint(2)];
    const value = reader.raw(length);
    if (key <= (parameters.at(-1)?.[0] ?? -1)) throw new MessageFault('service parameters are out of order');
    parameters.push([key, parameterValue(key, value)]);
  }
  return parameters;
}

/** Checks the value of a service parameter, and drops surplus bytes of a port. */
function parameterValue(key, value) {
  const reader = new Reader(value);
  if (key === 0) while (reader.remaining > 0) reader.raw(2);
  if (key === 1) while (reader.remaining > 0) reader.string();
  if (key === 3) return reader.raw(2);
  if (key === 4) while (reader.remaining > 0) reader.raw(4);
  if (key === 5 && reader.uint(2) !== reader.remaining) throw new MessageFault('the length of ech is wrong');
  if (key === 6) while (reader.remaining > 0) reader.raw(16);
  return value;
}

function readStrings(reader) {
  const strings = [];
  do strings.push(reader.string()); while (reader.remaining > 0);
  return strings;
}

const READ = {
  ip4: (reader) => reader.raw(4), ip6: (reader) => reader.raw(16), u8: (reader) => reader.uint(1),
  u16: (reader) => reader.uint(2), u32: (reader) => reader.uint(4), name: (reader) => reader.name(),
  bare: (reader) => reader.name(), string: (reader) => reader.string(), tag: (reader) => reader.string(),
  strings: readStrings, value: (reader) => toBinary(reader.raw(reader.remaining)), params: readParameters,
  rest: (reader) => reader.raw(reader.remaining),
};

/** Reads the data of a record; surplus bytes are dropped. Null for data of length zero, which any type may have. */
export function readData(code, reader) {
  if (reader.remaining === 0) return null;
  if (reader.remaining < LEAST[code]) throw new MessageFault('it is cut short');
  return fieldsOf(code).map((field) => READ[field](reader));
}

const number = (value, count) => Uint8Array.from({ length: count }, (_, index) => value / 256 ** (count - 1 - index) & 255);
const stringBytes = (text) => concat([text.length], fromBinary(text));
const nameBytes = (labels) => concat(...labels.map(stringBytes), [0]);

const WRITE = {
  u8: (value) => number(value, 1), u16: (value) => number(value, 2), u32: (value) => number(value, 4), bare: nameBytes,
  string: stringBytes, tag: stringBytes, strings: (value) => concat(...value.map(stringBytes)), value: fromBinary,
  params: (value) => concat(...value.map(([key, bytes]) => concat(number(key, 2), number(bytes.length, 2), bytes))),
};

/** Writes messages: names are compressed case-sensitively, as the PKARR reference does. */
export class Writer {
  #offsets = new Map();

  constructor() {
    this.bytes = [];
  }

  raw(bytes) {
    for (const byte of bytes) this.bytes.push(byte);
  }

  number(value, count) {
    this.raw(number(value, count));
  }

  name(labels) {
    for (let index = 0; index < labels.length; index++) {
      const suffix = toBinary(nameBytes(labels.slice(index)));
      const known = this.#offsets.get(suffix);
      if (known !== undefined) return this.number(0xc000 | known, 2);
      if (this.bytes.length <= 0x3fff) this.#offsets.set(suffix, this.bytes.length);
      this.raw(stringBytes(labels[index]));
    }
    this.bytes.push(0);
  }

  /** The data of a record and the two bytes of their length in front. */
  data(code, values) {
    const start = this.bytes.length;
    this.number(0, 2);
    fieldsOf(code).forEach((field, index) => {
      if (!values) return;
      if (field === 'name') this.name(values[index]);
      else this.raw((WRITE[field] ?? ((bytes) => bytes))(values[index]));
    });
    const length = this.bytes.length - start - 2;
    if (length > 65535) throw new MessageFault('data of a record are longer than 65535 bytes');
    [this.bytes[start], this.bytes[start + 1]] = [length >> 8, length & 255];
  }
}

/** The data in wire form, names in full. */
export function dataBytes(code, values) {
  const writer = new Writer();
  writer.data(code, values);
  return Uint8Array.from(writer.bytes.slice(2));
}
