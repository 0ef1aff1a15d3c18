// The table in which records are edited.
import { compile } from './draft.js';
import { actions, button, element, table } from './elements.js';
import { MESSAGE_LIMIT } from './message.js';
import { typeCode } from './records.js';
import { example } from './recordtext.js';

const CHOICES = ['A', 'AAAA', 'CNAME', 'TXT', 'HTTPS', 'SVCB', 'MX', 'NS', 'SRV', 'CAA', 'PTR', 'SOA'];
const HEADS = ['Name', 'Type', 'Data', 'Keep for', ''];
const FIELDS = ['name', 'type', 'data', 'ttl'];
const OTHER = 'Other…';

/** Rows that can be changed; `onChange` is called after each change. `rows` are `{ name, type, data, ttl }`, all texts. */
export class Editor {
  #faultTexts = [];

  constructor(origin, rows, onChange) {
    Object.assign(this, { origin, rows, onChange });
    this.grid = element('div.editor');
    this.bar = element('progress', { max: MESSAGE_LIMIT, id: 'bytes-used' });
    this.barText = element('label', { htmlFor: 'bytes-used' });
    this.fault = element('p.fault', { role: 'alert' });
    this.node = element('div', null, this.grid, actions(button('Add a record', () => this.add())),
      element('div.meter', null, this.barText, this.bar), this.fault);
    this.draw();
  }

  /** Starts over with other rows. */
  reset(rows) {
    this.isStrict = false;
    this.rows = rows;
    this.draw();
  }

  add() {
    this.rows.push({ name: this.rows.length ? '' : '@', type: 'A', data: '', ttl: '1h' });
    this.draw();
    this.grid.querySelector('tbody tr:last-child input').focus();
  }

  remove(index) {
    this.rows.splice(index, 1);
    this.draw();
    (this.grid.querySelectorAll('.remove')[Math.min(index, this.rows.length - 1)] ?? this.node.querySelector('.actions button')).focus();
  }

  draw() {
    this.#faultTexts = [];
    this.grid.replaceChildren(this.rows.length
      ? table('Records of your key', HEADS, this.rows.map((row, index) => this.#row(row, index)))
      : element('p.empty', null, 'No records yet. Add one: an address, a text, the name of a server.'));
    this.check();
  }

  #row(row, index) {
    const texts = {};
    const cells = FIELDS.map((field) => {
      const control = field === 'type' ? this.#typeControl(row, index) : this.#input(row, index, field);
      texts[field] = element('p.fault', { id: `fault-${index}-${field}` });
      control.setAttribute('aria-describedby', texts[field].id);
      return element(`div.field.${field}`, null, control, texts[field]);
    });
    this.#faultTexts.push(texts);
    const remove = button('Remove', () => this.remove(index), 'button.quiet.remove');
    remove.ariaLabel = `Remove record ${index + 1}`;
    return [...cells, remove];
  }

  #input(row, index, field) {
    const names = { name: 'Name', data: 'Data', ttl: 'Keep for', type: 'Type' };
    const hints = { name: '@ or www', data: example(typeCode(row.type)), ttl: '1h', type: 'TYPE65280' };
    const input = element('input', {
      value: row[field], placeholder: hints[field], autocomplete: 'off', spellcheck: false, autocapitalize: 'none',
      'aria-label': `${names[field]}, record ${index + 1}`, 'data-field': field,
    });
    input.oninput = () => {
      row[field] = input.value;
      this.changed();
    };
    return input;
  }

  #typeControl(row, index) {
    if (row.type === OTHER || !CHOICES.includes(row.type)) {
      if (row.type === OTHER) row.type = '';
      return this.#input(row, index, 'type');
    }
    const select = element('select', { 'aria-label': `Type, record ${index + 1}`, 'data-field': 'type' },
      ...[...CHOICES, OTHER].map((type) => element('option', { selected: type === row.type }, type)));
    select.onchange = () => {
      row.type = select.value;
      this.draw();
      this.grid.querySelectorAll('[data-field=type]')[index].focus();
      this.onChange();
    };
    return select;
  }

  changed() {
    this.check();
    this.onChange();
  }

  /** Says what is wrong where it is, and how full the packet is. */
  check() {
    const { message, faults } = compile(this.rows, this.origin);
    Object.assign(this, { message, faults });
    for (const texts of this.#faultTexts) for (const text of Object.values(texts)) text.textContent = '';
    for (const { row, field, text } of faults) {
      // What is still to be written is wrong only once it should be published.
      if (field && (this.isStrict || this.rows[row][field])) this.#faultTexts[row][field].textContent = text;
    }
    for (const control of this.grid.querySelectorAll('[data-field]')) {
      const { textContent } = control.nextElementSibling;
      control.toggleAttribute('aria-invalid', textContent !== '');
    }
    this.fault.textContent = faults.find((fault) => !fault.field)?.text ?? '';
    this.bar.hidden = !message;
    this.bar.value = message?.length ?? 0;
    this.barText.textContent = message ? `${message.length} of ${MESSAGE_LIMIT} bytes` : 'Some records are not complete yet';
  }

  /** True if all can be published; else moves to the first fault. */
  isReady() {
    this.isStrict = true;
    this.check();
    if (this.faults.length === 0) return true;
    this.grid.querySelector('[aria-invalid]')?.focus();
    return false;
  }
}
