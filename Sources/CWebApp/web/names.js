// Domain names. A name is a list of labels, each a binary string; the root has none.
import { toBinary, utf8 } from './bytes.js';

/** What a person has written and must change. */
export class InputFault extends Error {}

/** Bytes of a name on the wire, without compression. */
export const nameLength = (labels) => labels.reduce((sum, label) => sum + label.length + 1, 1);

/** Characters of presentation text as `[byte, escaped]`, with `\DDD` and `\c` resolved (RFC 1035 §5.1). */
export function unescaped(text) {
  const bytes = toBinary(utf8(text));
  const pieces = bytes.match(/\\\d{3}|\\\D|[^\\]/gs) ?? [];
  if (pieces.join('') !== bytes) throw new InputFault('has a backslash that is followed by nothing');
  return pieces.map((piece) => {
    if (piece.length < 4) return [piece.at(-1), piece.length > 1];
    const value = Number(piece.slice(1));
    if (value > 255) throw new InputFault(`has ${piece}, but a byte goes up to 255`);
    return [String.fromCharCode(value), true];
  });
}

/** Reads the labels of a name; empty ones vanish, as in the PKARR reference. */
export function parseName(text) {
  const labels = [''];
  for (const [character, isEscaped] of unescaped(text)) {
    if (character === '.' && !isEscaped) labels.push('');
    else labels[labels.length - 1] += character;
  }
  const name = labels.filter((label) => label !== '');
  const long = name.find((label) => label.length > 63);
  if (long) throw new InputFault(`has a part of ${long.length} bytes; between dots at most 63 fit`);
  if (nameLength(name) > 255) throw new InputFault(`is ${nameLength(name)} bytes long; at most 255 fit`);
  return name;
}

/** The full owner name of a name below a key: `@`, the root and nothing are the key itself, others get it appended. */
export function fullName(labels, origin) {
  const last = labels.at(-1);
  if (last === origin) return labels;
  if (last === undefined || last === '@') return [origin];
  const name = [...labels, origin];
  if (nameLength(name) > 255) throw new InputFault(`is ${nameLength(name)} bytes long with the key; at most 255 fit`);
  return name;
}

/** Throws for owner names that others may not accept: letters, digits, `-`, `_`, and `*` alone. */
export function checkOwner(labels) {
  for (const label of labels) {
    if (label !== '*' && !/^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/i.test(label)) {
      throw new InputFault(`has "${labelText(label)}": write letters, digits, - and _ (not - at the ends), or * alone`);
    }
  }
}

/** One byte in the presentation of a name or, without `extra`, of a quoted string. */
export function escapedByte(character, extra = '') {
  if ('\\"'.includes(character) || extra.includes(character)) return `\\${character}`;
  if (character >= '!' && character <= '~') return character;
  return `\\${String(character.charCodeAt(0)).padStart(3, '0')}`;
}

const labelText = (label) => Array.from(label, (character) => escapedByte(character, '.;()@$')).join('');

/** The name with its final dot. */
export const nameText = (labels) => (labels.length ? labels.map((label) => `${labelText(label)}.`).join('') : '.');

/** The shortest text of an owner name: `@` for the key, `www` below it, with a final dot elsewhere. */
export function ownerText(labels, origin) {
  if (labels.at(-1) !== origin) return nameText(labels);
  return labels.length === 1 ? '@' : labels.slice(0, -1).map(labelText).join('.');
}

/** A name in data: `@` for the key, one label below it as it is; everything else whole, with a final dot. */
export function targetText(labels, origin) {
  return labels.at(-1) === origin && labels.length < 3 ? ownerText(labels, origin) : nameText(labels);
}

/** Reads a name in data: `@` is the key and one label stands below it; what has dots is whole as it stands. */
export function parseTarget(text, origin) {
  if (text === '') throw new InputFault('is missing a name');
  if (text === '@') return [origin];
  const labels = parseName(text);
  const isRelative = labels.length === 1 && labels[0] !== origin && !text.endsWith('.');
  return isRelative ? fullName(labels, origin) : labels;
}
