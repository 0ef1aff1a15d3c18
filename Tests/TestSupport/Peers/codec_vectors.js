// Runs the vectors of Vectors/pkarr through the codec of the web app, in the browser that will run it.
// `codec`: what its modules export. `files`: the vector files by name. Returns { counts, failures }.
async function runVectors(codec, files) {
  const { fromHex, toHex } = codec;
  const counts = {};
  const failures = [];
  const check = (file, what, found, expected) => {
    counts[file] = (counts[file] ?? 0) + 1;
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    if (a !== b) failures.push(`${file}: ${what}: ${a} instead of ${b}`.slice(0, 400));
  };
  const attempt = async (body, code = (fault) => fault.code ?? fault.message) => {
    try {
      return await body();
    } catch (fault) {
      return code(fault);
    }
  };

  // MARK: Records as the vector files spell them

  function parameterValue({ key, value_hex: hex, value }) {
    if (hex !== undefined) return fromHex(hex);
    const u16 = (number) => [number >> 8, number & 255];
    switch (key) {
      case 0: return Uint8Array.from(value.map(Number).sort((a, b) => a - b).flatMap(u16));
      case 1: return codec.concat(...value.map((text) => [text.length, ...codec.utf8(text)]));
      case 2: return new Uint8Array();
      case 3: return Uint8Array.from(u16(Number(value)));
      case 4: return codec.concat(...value.map(codec.parseIP4));
      case 6: return codec.concat(...value.map(codec.parseIP6));
      case 5: return codec.concat(u16(value.length / 2), fromHex(value));
      default: return fromHex(value);
    }
  }

  function parametersOf(list) {
    const isEmptyList = ({ key, value }) => [0, 1, 4, 6].includes(key) && value?.length === 0;
    const byKey = new Map(list.filter((item) => !isEmptyList(item)).map((item) => [item.key, parameterValue(item)]));
    return [...byKey].sort(([a], [b]) => a - b);
  }

  function dataOf(record) {
    const name = codec.parseName;
    switch (record.type) {
      case 'A': return [codec.parseIP4(record.address)];
      case 'AAAA': return [codec.parseIP6(record.address)];
      case 'NS': case 'CNAME': case 'PTR': return [name(record.target)];
      case 'MX': return [record.preference, name(record.exchange)];
      case 'SRV': return [record.priority, record.weight, record.port, name(record.target)];
      case 'SOA': return [name(record.mname), name(record.rname), record.serial, record.refresh, record.retry, record.expire,
        record.minimum];
      case 'HTTPS': case 'SVCB': return [record.priority, name(record.target), parametersOf(record.params)];
      case 'TXT':
        if (record.text !== undefined) return [codec.textStrings(record.text)];
        if (record.strings) return [record.strings.map((text) => codec.toBinary(codec.utf8(text)))];
        return [record.strings_hex.map((hex) => codec.toBinary(fromHex(hex)))];
      default: throw new Error(`no ${record.type} in this file`);
    }
  }

  const recordsOf = (list, origin) => list.map((record) => ({
    name: codec.fullName(codec.parseName(record.name), origin), type: codec.typeCode(record.type), ttl: record.ttl,
    data: dataOf(record),
  }));

  const namesOf = (records) => records.map((record) => record.name.map((label) => codec.utf8Text(codec.fromBinary(label))).join('.'));

  // What was read, as people edit it and as it is written again.
  const rewritten = (records, origin) => codec.writeMessage(records.map((record) => {
    const text = codec.dataText(record, origin);
    return { ...record, data: codec.parseData(record.type, text, origin) };
  }));

  async function checkPacket(file, id, row, seed, origin, given, names) {
    const pair = await codec.keypair(fromHex(seed));
    check(file, `${id}: key`, pair.publicKey.z32, origin);
    const records = recordsOf(given, origin);
    check(file, `${id}: names`, namesOf(records), names);
    const message = codec.writeMessage(records);
    check(file, `${id}: message`, toHex(message), row.dns_packet_hex);
    const time = BigInt(row.timestamp_decimal_string ?? row.timestamp);
    if (row.signable_hex) check(file, `${id}: signable`, toHex(codec.signable(time, message)), row.signable_hex);
    if (row.expect_verify_error) {
      const payload = fromHex(row.relay_payload_hex);
      check(file, `${id}: refused`, await attempt(() => codec.verifyPacket(payload, pair.publicKey)), row.expect_verify_error);
      return null;
    }
    const packet = await codec.signPacket(pair, time, message);
    check(file, `${id}: payload`, toHex(packet.payload), row.relay_payload_hex);
    check(file, `${id}: whole`, toHex(pair.publicKey.bytes) + toHex(packet.payload), row.signed_packet_hex);
    check(file, `${id}: read and written`, toHex(codec.writeMessage(packet.records)), row.dns_packet_hex);
    check(file, `${id}: edited without a change`, toHex(rewritten(packet.records, origin)), row.dns_packet_hex);
    return packet;
  }

  // MARK: Files

  for (const row of files.zbase32.encode) check('zbase32', 'encode', codec.toZ32(fromHex(row.bytes_hex)), row.z32);
  for (const row of files.zbase32.decode) {
    const bytes = codec.fromZ32(row.input);
    check('zbase32', row.note, bytes && toHex(bytes), row.bytes_hex ?? null);
  }

  for (const row of files.keys.keypairs) {
    const { publicKey } = await codec.keypair(fromHex(row.seed_hex));
    check('keys', 'pair', [toHex(publicKey.bytes), publicKey.z32], [row.public_key_hex, row.z32]);
    check('keys', 'file', codec.keyFileText(fromHex(row.seed_hex)), row.secret_key_file);
    const body = btoa(codec.toBinary(fromHex(row.pkcs8_v1_der_hex)));
    check('keys', 'pem', toHex(codec.parseSecret(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`)),
      row.seed_hex);
  }
  for (const row of files.keys.secret_key_files.cases) {
    const seed = await attempt(() => codec.parseSecret(row.content), () => null);
    check('keys', row.note ?? row.content, seed && (await codec.keypair(seed)).publicKey.z32, row.public_key_z32 ?? null);
  }
  for (const row of files.keys.parse) {
    const expected = row.result === 'ok' ? { z32: row.z32, hex: row.public_key_hex } : row.error;
    check('keys', row.input, await attempt(() => {
      const key = codec.parsePublicKey(row.input);
      return { z32: key.z32, hex: toHex(key.bytes) };
    }), expected);
  }
  for (const row of files.keys.point_decompression.cases) {
    check('keys', row.note, codec.isPoint(fromHex(row.bytes_hex)), row.decompresses);
  }

  for (const row of files.timestamps.encode) {
    const time = BigInt(row.microseconds_decimal_string);
    check('timestamps', 'bytes', toHex(codec.uint64(time)), row.be8_hex);
  }
  for (const row of files.bep44.signable.filter((row) => row.salt_hex === null)) {
    check('bep44', 'signable', toHex(codec.signable(BigInt(row.seq), fromHex(row.v_hex))), row.signable_hex);
  }

  const packets = new Map();
  for (const row of files.signed_packets.packets) {
    packets.set(row.id, await checkPacket('signed_packets', row.id, row, row.seed_hex, row.origin_z32, row.records_in,
      row.names_after_normalisation));
  }
  for (const row of files.signed_packets.more_recent_than) {
    const [a, b] = [packets.get(row.a), packets.get(row.b)];
    check('signed_packets', `${row.a} and ${row.b}`, [codec.isMoreRecent(a, b), codec.isMoreRecent(b, a)],
      [row.a_more_recent_than_b, row.b_more_recent_than_a]);
  }
  for (const row of files['rust-generated'].vectors) {
    await checkPacket('rust-generated', row.title, row, row.seed_hex, row.public_key_z32, row.records, row.normalized_names);
  }
  for (const row of files.legacy.packets) {
    const packet = await codec.verifyPacket(fromHex(row.relay_payload_hex), codec.parsePublicKey(row.origin_z32));
    check('legacy', row.id, namesOf(packet.records), row.records.map((record) => record.name));
    check('legacy', row.id, packet.records.map((record) => codec.ip4Text(record.data[0])), row.records.map((record) => record.address ?? record.text));
  }

  for (const row of files.dns_parse.cases) {
    const found = await attempt(() => codec.readMessage(fromHex(row.dns_packet_hex)).length, (fault) => {
      return fault instanceof codec.MessageFault ? 'error' : String(fault);
    });
    check('dns_parse', row.id, typeof found === 'number' ? 'ok' : found, row.result);
    if (typeof found === 'number' && row.answers) {
      check('dns_parse', `${row.id}: count`, found, Array.isArray(row.answers) ? row.answers.length : row.answers);
    }
  }
  for (const row of files.verify.cases) {
    const bytes = fromHex(row.signed_packet_hex);
    const found = await attempt(async () => {
      // The key comes first on the wire, and lengths before it.
      if (bytes.length < 104 || bytes.length > 1104) return codec.verifyPacket(bytes.slice(32), null);
      await codec.verifyPacket(bytes.slice(32), codec.publicKey(bytes.slice(0, 32)));
      return 'ok';
    }, (fault) => (fault instanceof codec.KeyFault ? 'PublicKeyError' : fault.code ?? String(fault)));
    // Without a key the shortest that can be said of is one of 32 bytes.
    if (bytes.length >= 32) check('verify', row.id, found, row.expected);
  }

  for (const row of files.names.normalise) {
    // Through labels, empty ones vanish first.
    const collapsed = row.input === 'foo..' ? `foo.${row.origin}` : row.output.replaceAll('..', '.');
    check('names', row.input, codec.fullName(codec.parseName(row.input), row.origin).join('.'), collapsed);
  }
  for (const row of files.names.checked_name.cases) {
    const isAllowed = ['foo_', '@', '*', '*.foo'].includes(row.input) || row.result === 'ok';
    const isShort = row.input.length < 200;
    const origin = files.names.normalise[0].origin;
    const found = await attempt(() => {
      codec.checkOwner(codec.fullName(codec.parseName(row.input), origin));
      return true;
    }, (fault) => (fault instanceof codec.InputFault ? false : String(fault)));
    check('names', row.note, found, isAllowed && isShort);
  }
  for (const row of files.ttl.cases) {
    check('ttl', row.note, codec.packetTTL(row.record_ttls.map((ttl) => ({ ttl })), row.min, row.max), row.ttl);
  }
  return { counts, failures };
}
