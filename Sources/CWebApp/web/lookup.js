// Looking up a key: what the relay answers, checked here, and what comes after it.
import { fromHex } from './bytes.js';
import {
  actions, agoText, busy, button, byId, copyButton, durationText, element, momentText, notice, table,
} from './elements.js';
import { KeyFault, parsePublicKey } from './keys.js';
import { ownerText } from './names.js';
import { isMoreRecent, packetTTL, PacketFault, verifyPacket } from './packet.js';
import { typeName } from './records.js';
import { dataText } from './recordtext.js';
import { followKey, getPayload, RelayFault } from './relay.js';

const SOURCES = {
  cache: 'The cache of this relay', dht: 'The DHT, asked by this relay', network: 'The whole DHT, asked by this relay',
  event: 'This relay, as it arrived there',
};

/** The address of this page that shows a key. */
export const shareLink = (key) => `${location.origin}/?pk=${key.z32}`;

/** One key that is being shown. */
class Lookup {
  packet = null;
  end = new AbortController();

  constructor(key) {
    this.key = key;
    this.state = element('div', { role: 'status' });
    this.facts = element('dl');
    this.records = element('div.records');
    this.note = element('p.note', { role: 'status' });
    this.live = element('p.live');
    this.card = element('article.card', { ariaLabel: 'Result' }, this.state, element('p.key', null, key.z32), this.facts,
      this.records, this.note, actions(button('Ask the whole network', () => this.askNetwork()),
        copyButton('Copy key', key.z32), copyButton('Copy link', shareLink(key))), this.live);
    this.clock = setInterval(() => this.showFacts(), 5000);
    byId('result').replaceChildren(this.card);
  }

  close() {
    clearInterval(this.clock);
    this.end.abort();
  }

  /** First what the relay remembers, however old; then, unless that is fresh, what it finds. */
  async run() {
    this.show(busy('Asking this relay…'));
    try {
      await this.ask('CacheOnly', 'cache');
      if (!this.packet || this.expiresIn() <= 0) await this.ask('CacheFirst', 'dht');
      if (!this.packet) this.showNothing();
    } catch (fault) {
      this.showFault(fault);
    }
    this.follow();
  }

  /** Takes an answer of the relay; true if there was one. */
  async ask(policy, source) {
    const answer = await getPayload(this.key, policy);
    this.invalidSeq = answer.invalidSeq ?? null;
    if (!answer.payload) return false;
    this.offer(await verifyPacket(answer.payload, this.key), source, answer.age);
    return true;
  }

  /** Shows a packet unless a newer one is shown already. */
  offer(packet, source, age) {
    if (this.end.signal.aborted) return;
    const known = this.packet;
    if (known && source === 'event' && !isMoreRecent(packet, known)) return;
    if (known && isMoreRecent(known, packet)) {
      this.note.textContent = 'The relay answered with an older version; the newest that was seen stays here.';
      return;
    }
    Object.assign(this, { packet, source, age, since: performance.now() });
    this.note.textContent = '';
    this.showPacket();
    if (known && isMoreRecent(packet, known)) {
      this.note.textContent = 'A newer version has arrived.';
      this.card.classList.remove('arrived');
      requestAnimationFrame(() => this.card.classList.add('arrived'));
    }
  }

  async askNetwork() {
    try {
      const isFound = await this.ask('NetworkOnly', 'network');
      if (!isFound) this.note.textContent = 'The network has nothing for this key at the moment.';
      else if (!this.note.textContent) this.note.textContent = 'This is the newest version that the network has.';
    } catch (fault) {
      this.showFault(fault);
    }
  }

  follow() {
    followKey(this.key, this.end.signal, async (data) => {
      try {
        const { bytes } = JSON.parse(data);
        const packet = fromHex(String(bytes)) ?? new Uint8Array();
        this.offer(await verifyPacket(packet.slice(32), this.key), 'event', 0);
      } catch (fault) {
        if (fault instanceof PacketFault) this.note.textContent = `Refused a newer version: ${fault.message}`;
      }
    }, (isConnected) => {
      this.live.classList.toggle('on', isConnected);
      this.live.textContent = isConnected ? 'Following this key: newer versions appear here.' : 'Not following; trying again.';
    });
  }

  // MARK: What is seen

  elapsed() {
    return (this.age ?? 0) + (performance.now() - this.since) / 1000;
  }

  expiresIn() {
    return this.age === null ? 0 : packetTTL(this.packet.records) - this.elapsed();
  }

  show(...content) {
    if (!this.end.signal.aborted) this.state.replaceChildren(...content);
  }

  showPacket() {
    const { records } = this.packet;
    const origin = this.key.z32;
    const rows = records.map((record) => [ownerText(record.name, origin), typeName(record.type),
      element('span.data', null, dataText(record, origin)), durationText(record.ttl)]);
    this.records.replaceChildren(rows.length ? table('Records', ['Name', 'Type', 'Data', 'Keep for'], rows)
      : element('p', null, 'The key has published an empty list of records.'));
    this.showFacts();
  }

  showFacts() {
    if (!this.packet) return;
    const rest = this.expiresIn();
    const isStale = rest <= 0;
    if (this.isStale !== isStale || !this.state.querySelector('.notice.good,.notice.warn')) {
      this.show(isStale
        ? notice('warn', 'Verified in your browser, but stale', 'The signature is right. There may be a newer version that this relay did not find.')
        : notice('good', 'Verified in your browser', 'Signed by this key, and fresh.'));
    }
    this.isStale = isStale;
    const published = Number(this.packet.timestamp / 1000n);
    const facts = [
      ['Published', `${momentText(published)} (${agoText((Date.now() - published) / 1000)})`],
      ['Source', SOURCES[this.source]],
      ['Seen on the network', this.age === null ? 'The relay does not tell' : agoText(this.elapsed())],
      isStale ? ['Stale for', this.age === null ? 'Not known' : durationText(-rest)]
        : ['Fresh until', `${new Date(Date.now() + rest * 1000).toLocaleTimeString()} (${durationText(rest)} left)`],
      ['Size', `${this.packet.message.length} of 1000 bytes`],
    ];
    this.facts.replaceChildren(...facts.map(([name, text]) => {
      return element('div', null, element('dt', null, name), element('dd', null, text));
    }));
  }

  showNothing() {
    this.show(this.invalidSeq === null
      ? notice('warn', 'Nothing found', 'Neither this relay nor the DHT has records for this key now. The key may be unused, or its records were not published again for some hours.')
      : notice('warn', 'No readable packet', 'The newest item on the DHT for this key is not a PKARR packet.'));
  }

  showFault(fault) {
    if (fault instanceof PacketFault) {
      this.show(notice('bad', 'Refused: this answer cannot be trusted', `${fault.message} Nothing of it is shown. The relay, or somebody between it and you, may have changed it.`));
    } else if (fault instanceof RelayFault) {
      if (this.packet) this.note.textContent = fault.message;
      else this.show(notice('bad', 'No answer', fault.message));
    } else {
      throw fault;
    }
  }
}

let current = null;

/** Looks up the key that a text names, and shows it in the address. */
export function lookUp(text) {
  const fault = byId('query-fault');
  const query = byId('query');
  try {
    const key = parsePublicKey(text.trim());
    fault.textContent = '';
    query.removeAttribute('aria-invalid');
    query.value = key.z32;
    if (new URLSearchParams(location.search).get('pk') !== key.z32) history.pushState(null, '', `/?pk=${key.z32}`);
    current?.close();
    current = new Lookup(key);
    return current.run();
  } catch (error) {
    if (!(error instanceof KeyFault)) throw error;
    query.setAttribute('aria-invalid', 'true');
    fault.textContent = error.message;
    return null;
  }
}

/** Shows nothing again. */
export function clearLookup() {
  current?.close();
  current = null;
  byId('query').value = '';
  byId('result').replaceChildren();
}
