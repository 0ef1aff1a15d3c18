// Bytes, and the texts that stand for them. A "binary string" has one character (0 to 255) for each byte.

const Z32 = 'ybndrfg8ejkmcpqxot1uwisza345h769';

/** Lower-case hexadecimal digits of bytes. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The bytes that hexadecimal digits spell, in either case; null if there is anything else. */
export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) return null;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** z-base-32 of bytes, most significant bits first. */
export function toZ32(bytes) {
  let text = '';
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const pair = bytes[bit >> 3] << 8 | (bytes[(bit >> 3) + 1] ?? 0);
    text += Z32[pair >> (11 - (bit & 7)) & 31];
  }
  return text;
}

/** The bytes that z-base-32 spells; left-over bits are dropped. Null if a character is not in the alphabet. */
export function fromZ32(text) {
  const bytes = new Uint8Array(text.length * 5 >> 3);
  for (let index = 0, bits = 0, count = 0, next = 0; index < text.length; index++) {
    const value = Z32.indexOf(text[index]);
    if (value < 0) return null;
    bits = (bits << 5 | value) & 0xfff;
    count += 5;
    if (count >= 8) bytes[next++] = bits >> (count -= 8) & 255;
  }
  return bytes;
}

/** One array of all parts. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Negative, zero or positive, as `a` comes before, with or after `b` byte by byte. */
export function compareBytes(a, b) {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    if (a[index] !== b[index]) return a[index] - b[index];
  }
  return a.length - b.length;
}

/** A binary string of bytes. */
export const toBinary = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

/** The bytes of a binary string. */
export const fromBinary = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The UTF-8 bytes of a text. */
export const utf8 = (text) => new TextEncoder().encode(text);

/** The text of UTF-8 bytes; null if they are none. */
export function utf8Text(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Eight bytes, big-endian. */
export function uint64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
