// The key of this browser: making it, keeping it, and publishing what it says.
import { compareBytes, fromHex } from './bytes.js';
import { readDraft, rowsOf, storedDraft } from './draft.js';
import { Editor } from './editor.js';
import { actions, agoText, askInDialog, busy, button, byId, copyButton, element, notice } from './elements.js';
import { KeyFault, keyFileText, keypair, newSeed, parseSecret } from './keys.js';
import { lookUp, shareLink } from './lookup.js';
import { nextTimestamp, PacketFault, signPacket, verifyPacket } from './packet.js';
import { getPayload, putPayload, RelayFault } from './relay.js';
import { forgetText, storedText, storesTexts, storeText } from './storage.js';

const KEY = 'pkarr.key';
const DRAFT = 'pkarr.draft';

let desk = null;

/** Shows the key that this browser keeps, or how to get one. */
export async function showMyKey() {
  const seed = fromHex(storedText(KEY) ?? '');
  if (seed?.length !== 32) return showNoKey();
  desk = new KeyDesk(await keypair(seed));
  byId('my-key').replaceChildren(desk.node);
  return desk.load();
}

/** What must be known where the browser keeps no key; null where it does. */
function lossNotice() {
  return storesTexts() ? null : notice('warn', 'This browser keeps nothing for this page',
    'A key lives only until the page is closed or loaded again: save it as a file, and import it the next time.');
}

function showNoKey() {
  desk = null;
  byId('my-key').replaceChildren(lossNotice() ?? '',
    element('p', null, 'A key is made in this browser and stays in it. There is no account, and nobody to ask.'),
    actions(button('Create a key', () => keep(newSeed()), 'button.primary'), button('Import a key', importKey)));
}

/** Keeps a key, unless another page of this relay has kept one meanwhile, which would be lost. */
async function keep(seed, isSaved = false) {
  if (!storedText(KEY)) {
    storeText(KEY, keyFileText(seed));
    forgetText(DRAFT);
  }
  await showMyKey();
  if (desk) desk.isSaved ||= isSaved;
  byId('my-key').querySelector('button')?.focus();
}

async function importKey() {
  const text = element('textarea', { rows: 3, id: 'secret', autocomplete: 'off', spellcheck: false, autocapitalize: 'none' });
  const fault = element('p.fault', { role: 'alert' });
  const file = element('input', { type: 'file', id: 'secret-file' });
  file.onchange = async () => {
    const [chosen] = file.files;
    if (chosen?.size < 4096) text.value = await chosen.text();
    fault.textContent = chosen?.size >= 4096 ? 'This file is too large for a key.' : '';
  };
  const content = [element('label', { htmlFor: 'secret' }, 'Secret key: 64 hexadecimal digits, PEM, or JSON of "pubky key export"'), text,
    element('label', { htmlFor: 'secret-file' }, 'Or a key file, as "pubky key new" writes it'), file, fault];
  while (await askInDialog('Import a key', content, [['import', 'Import', 'button.primary'], ['', 'Cancel']]) === 'import') {
    try {
      return await keep(parseSecret(text.value), true);
    } catch (problem) {
      if (!(problem instanceof KeyFault)) throw problem;
      fault.textContent = problem.message;
    }
  }
  return null;
}

/** The key, its records and what can be done with them. */
class KeyDesk {
  base = null;

  /** Whether a copy of the key is outside of this page, as far as is known. */
  isSaved = false;

  constructor(pair) {
    this.pair = pair;
    this.key = pair.publicKey;
    this.editor = new Editor(this.key.z32, [], () => this.changed());
    this.status = element('div', { role: 'status' });
    this.publishButton = button('Publish', () => this.publish(), 'button.primary');
    this.discardButton = button('Discard changes', () => this.discard(), 'button.quiet');
    this.node = element('article.card', null, element('p.key', null, this.key.z32), lossNotice(),
      actions(copyButton('Copy key', this.key.z32), copyButton('Copy link', shareLink(this.key)),
        button('Look it up', () => this.#lookUp())),
      this.editor.node, actions(this.publishButton, this.discardButton), this.status, this.#secret());
  }

  #lookUp() {
    lookUp(this.key.z32);
    scrollTo(0, 0);
  }

  #secret() {
    const shown = element('code.key', { hidden: true }, keyFileText(this.pair.seed));
    const show = button('Show', () => {
      shown.hidden = !shown.hidden;
      show.textContent = shown.hidden ? 'Show' : 'Hide';
    });
    const isKept = storesTexts();
    return element('details', { open: !isKept }, element('summary', null, 'Secret key'),
      element('p', null, `Whoever has it can change your records; without it nobody can. It is only in this ${isKept ? 'browser' : 'page'}: save a copy in a safe place.`),
      shown, actions(button('Save as a file', () => this.#save()), show, button('Forget this key…', () => this.#forget(), 'button.danger')));
  }

  #save() {
    const href = URL.createObjectURL(new Blob([keyFileText(this.pair.seed)], { type: 'application/octet-stream' }));
    element('a', { href, download: `${this.key.z32.slice(0, 8)}.key` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    this.isSaved = true;
    return 'Saved';
  }

  async #forget() {
    const text = element('p', null, 'The key is deleted from this browser. Without a saved copy, its records can never be changed again.');
    if (await askInDialog('Forget this key?', [text], [['', 'Keep it'], ['forget', 'Forget it', 'button.danger']]) !== 'forget') return;
    forgetText(KEY);
    forgetText(DRAFT);
    showNoKey();
  }

  /** Shows the draft that was left, or else what is published. */
  async load() {
    const draft = readDraft(storedText(DRAFT));
    if (draft) {
      this.base = draft.base;
      this.editor.reset(draft.rows);
      return this.#showChanges();
    }
    this.status.replaceChildren(busy('Asking for what is published…'));
    try {
      const newest = await this.#newest();
      if (this.editor.rows.length === 0) this.#take(newest.packet);
      this.status.replaceChildren();
    } catch (fault) {
      this.#showFault(fault);
    }
    return this.#showChanges();
  }

  /** The newest packet on the network, if there is one, and the number that a new one must exceed. */
  async #newest() {
    const { payload, invalidSeq } = await getPayload(this.key, 'NetworkOnly');
    if (!payload) {
      // Nobody proves this number. The last one that there is would be signed once, and nothing ever after it.
      if (invalidSeq > nextTimestamp() + 86_400_000_000n) {
        throw new RelayFault('The relay tells of a version from the future that it cannot prove. Nothing was signed; use another relay.');
      }
      return { packet: null, floor: invalidSeq > 0n ? invalidSeq : 0n };
    }
    const packet = await verifyPacket(payload, this.key);
    return { packet, floor: packet.timestamp };
  }

  #take(packet) {
    this.base = packet;
    this.editor.reset(packet ? rowsOf(packet.records, this.key.z32) : []);
    forgetText(DRAFT);
  }

  #isChanged() {
    const { message, rows } = this.editor;
    return this.base ? !message || compareBytes(message, this.base.message) !== 0 : rows.length > 0;
  }

  changed() {
    if (this.#isChanged()) storeText(DRAFT, storedDraft(this.editor.rows, this.base));
    else forgetText(DRAFT);
    this.status.replaceChildren();
    this.#showChanges();
  }

  #showChanges() {
    const isChanged = this.#isChanged();
    this.discardButton.hidden = !isChanged;
    this.publishButton.textContent = !isChanged && this.base ? 'Publish again' : 'Publish';
  }

  async discard() {
    forgetText(DRAFT);
    this.editor.reset([]);
    await this.load();
  }

  /** Publishes the rows, after a look whether somebody has published something else meanwhile. */
  async publish(isOverwriting = false) {
    if (!this.editor.isReady()) return this.status.replaceChildren(notice('bad', 'Not published', 'Mend what is marked above first.'));
    this.status.replaceChildren(busy('Publishing…'));
    try {
      const { message } = this.editor;
      const { packet, floor } = await this.#newest();
      const isForeign = packet && packet.timestamp > (this.base?.timestamp ?? 0n) && compareBytes(packet.message, message) !== 0;
      if (isForeign && !isOverwriting) return this.#showConflict(packet);
      const last = this.base?.timestamp ?? 0n;
      const signed = await signPacket(this.pair, nextTimestamp(floor > last ? floor : last), message);
      const nodes = await putPayload(this.key, signed.payload);
      this.#take(signed);
      this.status.replaceChildren(notice('good', 'Published', `Stored on ${nodes} ${nodes === 1 ? 'node' : 'nodes'} of the DHT, ${message.length} bytes. Nodes forget after some hours: publish again now and then.`));
    } catch (fault) {
      this.#showFault(fault);
    }
    return this.#showChanges();
  }

  #showConflict(packet) {
    const age = agoText((Date.now() - Number(packet.timestamp / 1000n)) / 1000);
    const load = button('Load that version', () => {
      this.#take(packet);
      this.status.replaceChildren();
      this.#showChanges();
    });
    this.status.replaceChildren(notice('warn', 'Not published: there is a newer version', `Another device has published other records with this key, ${age}.`,
      actions(load, button('Replace it with mine', () => this.publish(true), 'button.danger'))));
  }

  #showFault(fault) {
    if (fault instanceof PacketFault) {
      this.status.replaceChildren(notice('bad', 'The relay gave an answer that cannot be trusted', fault.message));
    } else if (fault instanceof RelayFault) {
      this.status.replaceChildren(notice('bad', 'Not done', fault.message));
    } else {
      throw fault;
    }
  }
}

// What another page of this relay keeps or forgets is kept or forgotten here too.
addEventListener('storage', (event) => {
  const isKey = event.key === KEY || event.key === null;
  if (isKey && event.newValue !== (desk && keyFileText(desk.pair.seed))) showMyKey();
});

// A key that is nowhere else is not lost by accident.
addEventListener('beforeunload', (event) => {
  if (desk && !desk.isSaved && !storesTexts()) event.preventDefault();
});
