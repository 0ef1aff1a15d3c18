// Signed packets: what a key says of itself, and the proof that it does.
import { compareBytes, concat, uint64, utf8 } from './bytes.js';
import { isSigned } from './keys.js';
import { MESSAGE_LIMIT, readMessage } from './message.js';

const HEAD = 72;

/** Most bytes of a relay payload: signature, timestamp, DNS message. */
export const PAYLOAD_LIMIT = HEAD + MESSAGE_LIMIT;

/** A packet that must not be believed: `code` is the name that the PKARR reference gives the fault. */
export class PacketFault extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The bytes under a signature (BEP 44). `timestamp`: microseconds since 1970, a BigInt. */
export function signable(timestamp, message) {
  return concat(utf8(`3:seqi${timestamp}e1:v${message.length}:`), message);
}

/** Signs a message. */
export async function signPacket(pair, timestamp, message) {
  const signature = await pair.sign(signable(timestamp, message));
  return verifyPacket(concat(signature, uint64(timestamp), message), pair.publicKey);
}

/**
 * A packet `{ key, payload, timestamp, message, records }` out of a relay payload, after all checks: size, signature, DNS
 * message. Throws `PacketFault` for the first that fails.
 */
export async function verifyPacket(payload, key) {
  const length = payload.length + 32;
  if (length < 104) throw new PacketFault(`InvalidSignedPacketBytesLength(${length})`, 'It is too short for a packet.');
  if (payload.length > PAYLOAD_LIMIT) throw new PacketFault(`PacketTooLarge(${length})`, 'It is too large for a packet.');
  const [signature, message] = [payload.slice(0, 64), payload.slice(HEAD)];
  const timestamp = new DataView(payload.buffer, payload.byteOffset).getBigUint64(64);
  if (!await isSigned(signable(timestamp, message), signature, key)) {
    throw new PacketFault('SignatureError', 'It is not signed by this key, or was changed after it was signed.');
  }
  try {
    return { key, payload, timestamp, message, records: readMessage(message) };
  } catch (fault) {
    throw new PacketFault('DnsError', `It is signed by the key, but its records cannot be read: ${fault.message}.`);
  }
}

/** True if `a` replaces `b`: it is later or, of the same time, has the larger message. */
export function isMoreRecent(a, b) {
  return a.timestamp === b.timestamp ? compareBytes(a.message, b.message) > 0 : a.timestamp > b.timestamp;
}

/** How many seconds the records may be kept: the shortest time of them all, within bounds. */
export function packetTTL(records, minimum = 300, maximum = 86400) {
  const shortest = records.length ? Math.min(...records.map((record) => record.ttl)) : minimum;
  return Math.min(Math.max(shortest, minimum), maximum);
}

/** A timestamp later than `floor` and, where the clock allows, now. */
export const nextTimestamp = (floor = 0n, now = BigInt(Date.now()) * 1000n) => (now > floor ? now : floor + 1n);
