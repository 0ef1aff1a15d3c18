// The relay that this page came from. Nothing that it says is believed, and nothing of it may be long or take forever.
import { PAYLOAD_LIMIT } from './packet.js';

const PATIENCE = 90_000;
const EVENT_LIMIT = 16_384;

/** The relay did not do what it was asked for; the message says why. */
export class RelayFault extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

async function ask(path, options = {}) {
  try {
    return await fetch(path, {
      cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(PATIENCE), ...options,
    });
  } catch (fault) {
    throw new RelayFault(fault.name === 'TimeoutError' ? 'The relay did not answer in time.' : 'The relay cannot be reached.');
  }
}

/** Asks, and when told to wait does so, a few times. */
async function patientAsk(path, options) {
  for (let attempt = 0; ; attempt++) {
    const response = await ask(path, options);
    if (response.status !== 429 || attempt === 4) return response;
    response.body?.cancel();
    const seconds = Number(response.headers.get('retry-after') ?? 1);
    await wait(Math.min(Math.max(seconds || 1, 1), 10) * 1000);
  }
}

/** The body of a response, refused as soon as it is longer than `limit`. */
async function boundedBody(response, limit) {
  const bytes = new Uint8Array(limit + 1);
  let count = 0;
  try {
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return bytes.slice(0, count);
      if (count + value.length > limit) {
        reader.cancel().catch(() => {});
        throw new RelayFault(`Refused: the answer is longer than the ${limit} bytes that a packet can have.`);
      }
      bytes.set(value, count);
      count += value.length;
    }
  } catch (fault) {
    throw fault instanceof RelayFault ? fault : new RelayFault('The relay broke off its answer.');
  }
}

function failure(status) {
  const reasons = {
    429: 'This relay limits how often it may be asked. Wait a moment.',
    503: 'The relay got no answer from the DHT just now.',
    500: 'The relay could not reach the DHT just now.',
    409: 'The network has a newer version already.',
    413: 'The relay finds the packet too large.',
  };
  return new RelayFault(reasons[status] ?? `The relay refused (status ${status}).`, status);
}

const dateOf = (response, name) => Date.parse(response.headers.get(name) ?? '') || null;

/**
 * What the relay has for a key under a policy: `{ payload, age }`, the age being the seconds since the relay saw it on the
 * network (null if it does not tell); or `{ payload: null, invalidSeq }` if there is nothing.
 */
export async function getPayload(key, policy) {
  const response = await patientAsk(`/${key.z32}?policy=${policy}`);
  if (response.status === 404) {
    response.body?.cancel();
    const seq = response.headers.get('pkarr-invalid-signed-packet-seq') ?? '';
    return { payload: null, invalidSeq: /^-?\d{1,20}$/.test(seq) ? BigInt(seq) : null };
  }
  if (response.status !== 200) throw failure(response.status);
  const seen = dateOf(response, 'memento-datetime');
  const now = dateOf(response, 'date') ?? Date.now();
  return {
    payload: await boundedBody(response, PAYLOAD_LIMIT),
    age: seen === null ? null : Math.max(0, Math.round((now - seen) / 1000)),
  };
}

/** Publishes a payload; the number of DHT nodes that keep it. */
export async function putPayload(key, payload) {
  const response = await patientAsk(`/${key.z32}`, { method: 'PUT', body: payload });
  response.body?.cancel();
  if (response.status !== 204) throw failure(response.status);
  const nodes = response.headers.get('pkarr-dht-stored-nodes') ?? '';
  return /^\d{1,6}$/.test(nodes) ? Number(nodes) : 1;
}

/**
 * Follows a key until `stop` is aborted: calls `onEvent` with the data of each `packet` event (server-sent events), and
 * `onState` with whether the connection stands. Comes back after interruptions, ever less often.
 */
export async function followKey(key, stop, onEvent, onState) {
  for (let attempt = 0, last = ''; !stop.aborted;) {
    try {
      const headers = last ? { 'last-event-id': last } : {};
      const response = await fetch(`/${key.z32}/events`, { cache: 'no-store', credentials: 'omit', headers, signal: stop });
      if (response.status !== 200) throw failure(response.status);
      onState(true);
      attempt = 0;
      await readEvents(response.body, async (event) => {
        if (event.name === 'packet') await onEvent(event.data);
        last = event.id ?? last;
      });
    } catch {
      // Whatever it was, it is tried again.
    }
    if (stop.aborted) return;
    onState(false);
    await wait(Math.min(1000 * 2 ** attempt++, 60_000));
  }
}

/** Reads server-sent events; ends at one that is longer than a packet can be. */
async function readEvents(body, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let buffer = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += value.replaceAll('\r', '');
    for (let end; (end = buffer.indexOf('\n\n')) >= 0; buffer = buffer.slice(end + 2)) {
      const event = parseEvent(buffer.slice(0, end));
      if (event.data) await onEvent(event);
    }
    if (buffer.length > EVENT_LIMIT) {
      await reader.cancel();
      return;
    }
  }
}

function parseEvent(text) {
  const event = { name: 'message', data: '', id: null };
  for (const line of text.split('\n')) {
    const [, field, value] = /^([a-z]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') event.name = value;
    if (field === 'data') event.data += value;
    if (field === 'id' && /^[\x21-\x7e]{1,200}$/.test(value)) event.id = value;
  }
  return event;
}
