// Where the page begins.
import { byId, notice } from './elements.js';
import { missingCryptography } from './keys.js';
import { clearLookup, lookUp } from './lookup.js';
import { showMyKey } from './mykey.js';

function showAddress() {
  const key = new URLSearchParams(location.search).get('pk');
  return key ? lookUp(key) : clearLookup();
}

async function begin() {
  byId('relay').textContent = location.host;
  const missing = await missingCryptography();
  if (missing) {
    byId('problem').replaceChildren(notice('bad', missing.title, missing.advice));
    byId('tools').hidden = true;
    return;
  }
  byId('lookup').onsubmit = (event) => {
    event.preventDefault();
    lookUp(byId('query').value);
  };
  addEventListener('popstate', showAddress);
  await Promise.all([showMyKey(), showAddress()]);
}

begin();
