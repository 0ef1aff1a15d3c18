// Keys: their texts, the curve, and the browser's Ed25519.
import { concat, fromBinary, fromHex, fromZ32, toBinary, toHex, toZ32, utf8 } from './bytes.js';

const P = 2n ** 255n - 19n;
const PKCS8 = fromHex('302e020100300506032b657004220420');

/** A key that is none: `code` is the name that the PKARR reference gives the fault. */
export class KeyFault extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const modulo = (value) => ((value % P) + P) % P;

function power(base, exponent) {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n, base = base * base % P) if (exponent & 1n) result = result * base % P;
  return result;
}

/** True if 32 bytes are a point of the curve: (y² − 1) / (d·y² + 1) must be a square (RFC 8032 §5.1.3). */
export function isPoint(bytes) {
  const digits = toHex(Uint8Array.from(bytes).reverse());
  const y = (BigInt(`0x${digits}`) & (2n ** 255n - 1n)) % P;
  const d = modulo(-121665n * power(121666n, P - 2n));
  const [u, v] = [modulo(y * y - 1n), modulo(d * y * y + 1n)];
  const ratio = u * power(v, P - 2n) % P;
  return power(ratio, (P - 1n) / 2n) !== P - 1n;
}

/** A public key `{ bytes, z32 }` of 32 bytes that must be a point. */
export function publicKey(bytes) {
  if (bytes.length !== 32) {
    throw new KeyFault('InvalidPublicKeyLength', `A key is 52 characters (32 bytes); this one has ${bytes.length} bytes.`);
  }
  if (!isPoint(bytes)) throw new KeyFault('InvalidEd25519PublicKey', 'No key has these characters; one may be mistyped.');
  return { bytes, z32: toZ32(bytes) };
}

/** The part of a text that should be a key: of a URI, a URL or a host name. All lengths are bytes of UTF-8. */
function keyPart(text) {
  let rest = toBinary(utf8(text));
  const cut = (pattern) => {
    if (rest.length > 52) rest = rest.replace(pattern, '');
  };
  cut(/^[^:]*:/s);
  cut(/^\/\//);
  cut(/^[^@]*@/s);
  for (const mark of [':', '\\/', '\\?', '#']) cut(new RegExp(`${mark}.*$`, 's'));
  if (rest.length > 52) {
    if (rest.endsWith('.')) rest = rest.replace(/^\.+|\.+$/g, '');
    rest = rest.slice(rest.lastIndexOf('.') + 1);
  }
  return rest;
}

/** Reads a public key from any text that names one: `KEY`, `pk:KEY`, `https://www.KEY/path`. Throws `KeyFault`. */
export function parsePublicKey(text) {
  const bytes = fromZ32(keyPart(text));
  if (!bytes) {
    throw new KeyFault('InvalidPublicKeyEncoding', 'A key is 52 lower-case letters and digits, without 0, 2, l and v.');
  }
  return publicKey(bytes);
}

/** A key pair `{ seed, publicKey, sign }` of a seed of 32 bytes. */
export async function keypair(seed) {
  const secret = await crypto.subtle.importKey('pkcs8', concat(PKCS8, seed), 'Ed25519', true, ['sign']);
  const { x } = await crypto.subtle.exportKey('jwk', secret);
  const point = fromBinary(atob(x.replaceAll('-', '+').replaceAll('_', '/')));
  const sign = async (bytes) => new Uint8Array(await crypto.subtle.sign('Ed25519', secret, bytes));
  return { seed, publicKey: publicKey(point), sign };
}

/** 32 random bytes for a new key. */
export const newSeed = () => crypto.getRandomValues(new Uint8Array(32));

/** True if the signature of bytes is that of a public key. */
export async function isSigned(bytes, signature, key) {
  try {
    const imported = await crypto.subtle.importKey('raw', key.bytes, 'Ed25519', true, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, signature, bytes);
  } catch {
    return false;
  }
}

/** The contents of a key file: 64 hexadecimal digits. */
export const keyFileText = (seed) => toHex(seed);

/** The key in an object that `pubky key export --json` writes; other texts as they are. */
function exportedText(text) {
  try {
    const { text: exported } = JSON.parse(text);
    return typeof exported === 'string' ? exported : text;
  } catch {
    return text;
  }
}

/** Reads a seed from what `pubky key new`, `pubky key export` and this page write. Throws `KeyFault`. */
export function parseSecret(text) {
  const trim = (value) => value.replace(/^[ \t\r\n\f\v]+|[ \t\r\n\f\v]+$/g, '');
  const outer = trim(text);
  const trimmed = outer.startsWith('{') ? trim(exportedText(outer)) : outer;
  if (/^-----BEGIN PUBLIC KEY-----|^[a-z0-9]{52}$/.test(trimmed)) {
    throw new KeyFault('public', 'This is the public half of a key. The secret half is needed to change its records.');
  }
  const pem = /^-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----$/.exec(trimmed);
  const seed = pem ? pemSeed(pem[1]) : fromHex(trimmed);
  if (!seed) throw new KeyFault('notHex', 'A secret key is 64 hexadecimal digits, or a PRIVATE KEY in PEM form.');
  if (seed.length !== 32) {
    throw new KeyFault('length', `A secret key is 64 hexadecimal digits; these are ${trimmed.length}.`);
  }
  return seed;
}

/** The seed in PKCS #8 (RFC 8410 §7), with or without the public half behind it; null if it is none. */
function pemSeed(body) {
  try {
    const hex = toHex(fromBinary(atob(body.replace(/\s/g, ''))));
    const match = /^30..02010[01]300506032b657004220420([0-9a-f]{64})/.exec(hex);
    return match && fromHex(match[1]);
  } catch {
    return null;
  }
}

/** Why this browser cannot sign and verify, as `{ title, advice }`; null if it can. */
export async function missingCryptography() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return {
      title: 'The connection is not encrypted',
      advice: 'Browsers check signatures only on pages that come over https, or from localhost. Open this relay with https:// in front, or use the command pubky.',
    };
  }
  try {
    const pair = await keypair(new Uint8Array(32));
    const bytes = utf8('pkarr');
    if (await isSigned(bytes, await pair.sign(bytes), pair.publicKey)) return null;
  } catch {
    // It throws what it wants; that it throws is what counts.
  }
  return {
    title: 'This browser cannot check signatures',
    advice: 'It lacks Ed25519, so nothing could be signed or verified here. Use Chrome or Edge 137, Firefox 129, Safari 17 or later, or the command pubky.',
  };
}
