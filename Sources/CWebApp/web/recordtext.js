// The data of records as people write and read them: the forms of zone files.
import { concat, fromBinary, fromHex, toBinary, toHex, utf8, utf8Text } from './bytes.js';
import { escapedByte, InputFault, nameText, parseTarget, targetText, unescaped } from './names.js';
import { dataBytes, MessageFault, Reader, readData, textFields, typeName } from './records.js';

const PARAMETERS = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint'];
const quoted = (text) => `"${Array.from(text, (character) => (character === ' ' ? ' ' : escapedByte(character))).join('')}"`;

// MARK: Addresses

/** The text of the 4 bytes of an IPv4 address. */
export const ip4Text = (bytes) => bytes.join('.');

/** The text of the 16 bytes of an IPv6 address (RFC 5952). */
export function ip6Text(bytes) {
  const words = Array.from({ length: 8 }, (_, index) => bytes[index * 2] << 8 | bytes[index * 2 + 1]);
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) return `::ffff:${ip4Text(bytes.slice(12))}`;
  let [best, length] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    const count = [...words, 1].slice(start).findIndex((word) => word !== 0);
    if (count > length) [best, length] = [start, count];
  }
  const hex = words.map((word) => word.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + length).join(':')}`;
}

/** The bytes of an IPv4 address; null if the text is none. */
export function parseIP4(text) {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isAddress ? Uint8Array.from(parts, Number) : null;
}

/** The bytes of an IPv6 address; null if the text is none. */
export function parseIP6(text) {
  const tail = /^(.*:)([\d.]+\.[\d.]+)$/.exec(text);
  const last = tail && parseIP4(tail[2]);
  if (tail && !last) return null;
  const hex = last ? `${tail[1]}${toHex(last.slice(0, 2))}:${toHex(last.slice(2))}` : text;
  const halves = hex.split('::');
  if (halves.length > 2) return null;
  const [front, back] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - front.length - (back?.length ?? 0);
  if (back ? missing < 1 : missing !== 0) return null;
  const words = [...front, ...Array(missing).fill('0'), ...(back ?? [])];
  if (!words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return null;
  return fromHex(words.map((word) => word.padStart(4, '0')).join(''));
}

// MARK: Words

/** Cuts text at white space outside of quotes: `{ text, isQuoted }`, the text with its escapes. */
function words(text) {
  const found = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|((?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+))\s*/gsy;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match) throw new InputFault('has a quotation mark or a backslash without its partner');
    found.push(match[1] === undefined ? { text: match[2], isQuoted: false } : { text: match[1], isQuoted: true });
  }
  return found;
}

const wordBytes = (word) => unescaped(word.text).map(([character]) => character).join('');

function stringOf(word) {
  const bytes = wordBytes(word);
  if (bytes.length > 255) throw new InputFault(`has a string of ${bytes.length} bytes; at most 255 fit`);
  return bytes;
}

function numberOf(word, limit) {
  if (!/^\d{1,10}$/.test(word.text) || Number(word.text) > limit) {
    throw new InputFault(`has "${word.text}" where a number from 0 to ${limit} stands`);
  }
  return Number(word.text);
}

function addressOf(word, parse, example) {
  const bytes = parse(word.text);
  if (!bytes) throw new InputFault(`is not an address such as ${example}`);
  return bytes;
}

function tagOf(word) {
  if (!/^[a-z0-9]{1,255}$/i.test(word.text)) throw new InputFault(`has "${word.text}" where a tag such as issue stands`);
  return word.text;
}

// MARK: Service parameters (RFC 9460 §2.1, appendix A.1)

const parameterName = (key) => PARAMETERS[key] ?? `key${key}`;

function parameterKey(text) {
  const index = PARAMETERS.indexOf(text);
  if (index >= 0) return index;
  const match = /^key(0|[1-9]\d{0,4})$/.exec(text);
  return match && Number(match[1]) < 65535 ? Number(match[1]) : null;
}

function chunks(bytes, size) {
  return Array.from({ length: bytes.length / size }, (_, index) => bytes.slice(index * size, (index + 1) * size));
}

function parameterText([key, value]) {
  const plain = value.length ? `key${key}=${quoted(toBinary(value))}` : `key${key}`;
  if (key === 2) return value.length ? plain : 'no-default-alpn';
  if (value.length === 0) return plain;
  const list = (size, text) => `${parameterName(key)}=${chunks(value, size).map(text).join(',')}`;
  switch (key) {
    case 0: return list(2, ([high, low]) => parameterName(high << 8 | low));
    case 1: {
      const items = [];
      for (const reader = new Reader(value); reader.remaining > 0;) items.push(reader.string());
      if (items.includes('')) return plain;
      return `alpn=${quoted(items.map((item) => item.replace(/[,\\]/g, '\\$&')).join(','))}`;
    }
    case 3: return `port=${value[0] << 8 | value[1]}`;
    case 4: return list(4, ip4Text);
    case 5: return `ech="${btoa(toBinary(value.slice(2)))}"`;
    case 6: return list(16, ip6Text);
    default: return plain;
  }
}

function splitList(bytes) {
  const items = bytes.match(/(?:[^,\\]|\\.)*(?:,|$)/gs).slice(0, -1).map((item) => item.replace(/,$/, ''));
  if (bytes === '' || bytes.endsWith(',')) items.push('');
  return items.map((item) => item.replace(/\\(.)/gs, '$1'));
}

function parameterBytes(key, bytes) {
  const items = bytes.split(',');
  switch (key) {
    case 0: {
      const keys = items.map(parameterKey);
      if (keys.includes(null) || new Set(keys).size < keys.length) throw new InputFault('has a list of keys that is none');
      return concat(...keys.sort((a, b) => a - b).map((value) => [value >> 8, value & 255]));
    }
    case 1: {
      const names = splitList(bytes);
      if (!names.every((name) => name.length > 0 && name.length < 256)) throw new InputFault('has an empty protocol in alpn');
      return concat(...names.map((name) => concat([name.length], fromBinary(name))));
    }
    case 2:
      if (bytes) throw new InputFault('gives no-default-alpn a value');
      return new Uint8Array();
    case 3: {
      const port = numberOf({ text: bytes }, 65535);
      return Uint8Array.of(port >> 8, port & 255);
    }
    case 4: return concat(...items.map((text) => addressOf({ text }, parseIP4, '203.0.113.7')));
    case 5: {
      const body = base64Bytes(bytes);
      return concat([body.length >> 8, body.length & 255], body);
    }
    case 6: return concat(...items.map((text) => addressOf({ text }, parseIP6, '2001:db8::7')));
    default: return fromBinary(bytes);
  }
}

function base64Bytes(text) {
  try {
    return fromBinary(atob(text));
  } catch {
    throw new InputFault('has ech that is not base64');
  }
}

function parseParameter(word) {
  const [, name, raw] = /^([^=]*)(?:=(.*))?$/s.exec(word.text);
  const key = word.isQuoted ? null : parameterKey(name);
  if (key === null) throw new InputFault(`has "${name}", which is not a parameter such as alpn, port or key667`);
  const value = /^"(.*)"$/s.exec(raw ?? '')?.[1] ?? raw ?? '';
  const bytes = wordBytes({ text: value });
  const wire = name.startsWith('key') ? fromBinary(bytes) : parameterBytes(key, bytes);
  return [key, wire];
}

function parseParameters(list) {
  const parameters = list.map(parseParameter).sort(([a], [b]) => a - b);
  const keys = parameters.map(([key]) => key);
  if (new Set(keys).size < keys.length) throw new InputFault('sets a parameter twice');
  for (const [high, low] of chunks(parameters[0]?.[0] === 0 ? parameters[0][1] : [], 2)) {
    const key = high << 8 | low;
    if (key === 0 || !keys.includes(key)) throw new InputFault(`lists ${parameterName(key)} as mandatory without setting it`);
  }
  return parameters;
}

// MARK: Text records

/** Cuts a text into strings of 254 bytes, as the PKARR reference does. */
export function textStrings(text) {
  const bytes = toBinary(utf8(text));
  return bytes.match(/.{1,254}/gs) ?? [''];
}

/** Plain text that, cut again, gives the same strings; null if there is none, or if it holds what cannot be seen. */
function plainText(strings) {
  const text = utf8Text(fromBinary(strings.join('')));
  if (text === null || text !== text.trim() || /^["\\]|\p{C}/u.test(text) || text === '') return null;
  return textStrings(text).join('\n') === strings.join('\n') ? text : null;
}

// MARK: Data

const PARSE = {
  ip4: (word) => addressOf(word, parseIP4, '203.0.113.7'), ip6: (word) => addressOf(word, parseIP6, '2001:db8::7'),
  u8: (word) => numberOf(word, 255), u16: (word) => numberOf(word, 65535), u32: (word) => numberOf(word, 4294967295),
  name: (word, origin) => parseTarget(word.text, origin), bare: (word, origin) => parseTarget(word.text, origin),
  string: stringOf, value: wordBytes, tag: tagOf,
};

const FORMAT = {
  ip4: ip4Text, ip6: ip6Text, u8: String, u16: String, u32: String, name: targetText, string: quoted, value: quoted,
  bare: (labels, origin) => (labels.length ? targetText(labels, origin) : nameText(labels)), tag: (text) => text,
  strings: (strings) => plainText(strings) ?? strings.map(quoted).join(' '),
  params: (parameters) => parameters.map(parameterText).join(' '),
};

/** The data of a record for people, names relative to the key; `\# 3 abcdef` where a type has no form (RFC 3597 §5). */
export function dataText(record, origin) {
  const fields = textFields(record.type);
  const isOdd = record.type === 257 && record.data && !/^[a-z0-9]+$/i.test(record.data[1]);
  if (!fields || !record.data || isOdd) {
    const bytes = dataBytes(record.type, record.data);
    return `\\# ${bytes.length} ${toHex(bytes)}`.trim();
  }
  return fields.map((field, index) => FORMAT[field](record.data[index], origin)).join(' ').trim();
}

function parseGeneric(code, list) {
  const bytes = fromHex(list.slice(2).map((word) => word.text).join(''));
  if (!bytes || list.length < 2 || String(bytes.length) !== list[1].text) {
    throw new InputFault('is not \\#, a number of bytes, and as many in hexadecimal: \\# 3 abcdef');
  }
  try {
    return readData(code, new Reader(bytes));
  } catch (fault) {
    if (!(fault instanceof MessageFault)) throw fault;
    throw new InputFault(`does not fit the type ${typeName(code)}: ${fault.message}`);
  }
}

/** Reads the data of a record of type `code`. Throws `InputFault` with what is wrong, to be read after "The data". */
export function parseData(code, text, origin) {
  const trimmed = text.trim();
  if (trimmed === '') throw new InputFault('is empty');
  if (code === 16 && !/^["\\]/.test(trimmed)) return [textStrings(trimmed)];
  const list = words(trimmed);
  if (list[0].text === '\\#' && !list[0].isQuoted) return parseGeneric(code, list);
  const fields = textFields(code);
  if (!fields) throw new InputFault(`of ${typeName(code)} is written in hexadecimal: \\# 3 abcdef`);
  if (fields[0] === 'strings') return [list.map(stringOf)];
  const fixed = fields.filter((field) => field !== 'params');
  if (list.length < fixed.length) throw new InputFault(`is incomplete: ${example(code)}`);
  if (list.length > fields.length && fixed.length === fields.length) throw new InputFault(`is too long: ${example(code)}`);
  const values = fixed.map((field, index) => PARSE[field](list[index], origin));
  return fixed.length === fields.length ? values : [...values, parseParameters(list.slice(fixed.length))];
}

const EXAMPLES = {
  1: '203.0.113.7', 2: 'ns1.example.com', 5: 'example.com', 6: 'ns1 admin 1 7200 3600 1209600 300', 12: 'host.example.com',
  15: '10 mail.example.com', 16: 'Hello, world', 28: '2001:db8::7', 33: '0 5 443 host.example.com', 64: '1 . port=8443',
  65: '1 . alpn="h2,h3"', 257: '0 issue "ca.example.net"',
};

/** What data of a type look like. */
export const example = (code) => EXAMPLES[code] ?? '\\# 3 abcdef';
