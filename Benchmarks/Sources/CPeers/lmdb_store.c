#include "CPeers.h"
#include <lmdb.h>
#include <nettle/sha1.h>
#include <stdlib.h>
#include <string.h>

// What a C program would do with LMDB in place of the packet store: two tables, the same flags, the same calls, one
// thread, nothing checked but the codes. What it writes is the same, the sum over each packet included, since a file
// without it could not tell damaged packets from others, under the same names, which are SHA-1 of the public keys (Nettle). Its
// reads are given the names, as those of the store are, copy the packet and do not check it.
struct lmdb_peer {
  MDB_env *environment;
  MDB_dbi packets, uses;
  MDB_txn *reader;
  uint64_t stamp;
  size_t capacity;
};

static uint64_t big_endian(uint64_t word) { return __builtin_bswap64(word); }

static uint64_t last_stamp(lmdb_peer *peer) {
  MDB_cursor *uses;
  MDB_val key, owner;
  uint64_t stamp = 0;
  if (mdb_cursor_open(peer->reader, peer->uses, &uses)) return 0;
  if (mdb_cursor_get(uses, &key, &owner, MDB_LAST) == 0) memcpy(&stamp, key.mv_data, 8);
  mdb_cursor_close(uses);
  return big_endian(stamp);
}

lmdb_peer *lmdb_peer_open(const char *path, size_t map_size, size_t capacity) {
  lmdb_peer *peer = calloc(1, sizeof *peer);
  MDB_txn *transaction;
  unsigned flags = MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NORDAHEAD;
  peer->capacity = capacity;
  if (mdb_env_create(&peer->environment) || mdb_env_set_maxdbs(peer->environment, 2) ||
      mdb_env_set_mapsize(peer->environment, map_size) || mdb_env_open(peer->environment, path, flags, 0600) ||
      mdb_txn_begin(peer->environment, NULL, 0, &transaction) ||
      mdb_dbi_open(transaction, "packets", MDB_CREATE, &peer->packets) ||
      mdb_dbi_open(transaction, "uses", MDB_CREATE, &peer->uses) || mdb_txn_commit(transaction) ||
      mdb_txn_begin(peer->environment, NULL, MDB_RDONLY, &peer->reader))
    return NULL;
  peer->stamp = last_stamp(peer);
  mdb_txn_reset(peer->reader);
  return peer;
}

void lmdb_peer_close(lmdb_peer *peer) {
  mdb_txn_abort(peer->reader);
  mdb_env_sync(peer->environment, 1);
  mdb_env_close(peer->environment);
  free(peer);
}

// Copies the value of a key; its length, 0 if there is none.
size_t lmdb_peer_read(lmdb_peer *peer, const uint8_t *key, uint8_t *copy) {
  MDB_val name = {20, (void *)key}, value = {0, NULL};
  mdb_txn_renew(peer->reader);
  if (mdb_get(peer->reader, peer->packets, &name, &value) == 0) memcpy(copy, value.mv_data, value.mv_size);
  mdb_txn_reset(peer->reader);
  return value.mv_size;
}

static uint64_t rotate(uint64_t word, int count) { return word << count | word >> (64 - count); }

static uint64_t word_at(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

// XXH64, as the packet store has it.
static uint64_t xxh64(const uint8_t *bytes, size_t length, uint64_t seed) {
  const uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f, p3 = 0x165667b19e3779f9, p4 = 0x85ebca77c2b2ae63,
                 p5 = 0x27d4eb2f165667c5;
  uint64_t sum = seed + p5;
  const uint8_t *end = bytes + length;
  if (length >= 32) {
    uint64_t lanes[4] = {seed + p1 + p2, seed + p2, seed, seed - p1};
    for (; bytes + 32 <= end; bytes += 32) {
      for (int lane = 0; lane < 4; lane++) lanes[lane] = rotate(lanes[lane] + word_at(bytes + 8 * lane) * p2, 31) * p1;
    }
    sum = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int lane = 0; lane < 4; lane++) sum = (sum ^ rotate(lanes[lane] * p2, 31) * p1) * p1 + p4;
  }
  sum += length;
  for (; bytes + 8 <= end; bytes += 8) sum = rotate(sum ^ rotate(word_at(bytes) * p2, 31) * p1, 27) * p1 + p4;
  if (bytes + 4 <= end) {
    uint32_t half;
    memcpy(&half, bytes, 4);
    sum = rotate(sum ^ half * p1, 23) * p2 + p3;
    bytes += 4;
  }
  for (; bytes < end; bytes++) sum = rotate(sum ^ *bytes * p5, 11) * p1;
  sum = (sum ^ sum >> 33) * p2;
  sum = (sum ^ sum >> 29) * p3;
  return sum ^ sum >> 32;
}

static int evict(lmdb_peer *peer, MDB_cursor *packets, MDB_cursor *uses) {
  MDB_val stamp, name, value;
  if (mdb_cursor_get(uses, &stamp, &name, MDB_FIRST)) return -1;
  uint8_t key[20];
  memcpy(key, name.mv_data, 20);
  name.mv_data = key;
  return mdb_cursor_del(uses, 0) || mdb_cursor_get(packets, &name, &value, MDB_SET) || mdb_cursor_del(packets, 0);
}

static int put(
    lmdb_peer *peer, MDB_txn *transaction, MDB_cursor *packets, MDB_cursor *uses, const uint8_t *key,
    const uint8_t *bytes, size_t length, size_t *count) {
  MDB_val name = {20, (void *)key}, value;
  int code = mdb_cursor_get(packets, &name, &value, MDB_SET);
  if (code == 0) {
    uint64_t old;
    memcpy(&old, value.mv_data, 8);
    MDB_val use = {8, &old};
    if (mdb_del(transaction, peer->uses, &use, NULL)) return -1;
  } else {
    if (*count >= peer->capacity) {
      if (evict(peer, packets, uses)) return -1;
    } else {
      (*count)++;
    }
  }
  uint64_t stamp = big_endian(++peer->stamp);
  MDB_val use = {8, &stamp}, owner = {20, (void *)key};
  name = (MDB_val){20, (void *)key};
  value = (MDB_val){length, NULL};
  if (mdb_cursor_put(packets, &name, &value, MDB_RESERVE)) return -1;
  memcpy(value.mv_data, &stamp, 8);
  memcpy((uint8_t *)value.mv_data + 12, bytes + 12, length - 12);
  uint32_t sum = __builtin_bswap32((uint32_t)xxh64((uint8_t *)value.mv_data + 12, length - 12, big_endian(word_at(key))));
  memcpy((uint8_t *)value.mv_data + 8, &sum, 4);
  return mdb_cursor_put(uses, &use, &owner, MDB_APPEND);
}

// The public key in a value lies behind the stamp, the sum and `lastSeen`.
static void name_of(const uint8_t *value, uint8_t name[20]) {
  struct sha1_ctx hash;
  sha1_init(&hash);
  sha1_update(&hash, 32, value + 20);
  sha1_digest(&hash, 20, name);
}

// Looks at what is there and then writes, as the update rule wants; `batch` packets in each transaction. 0 on success.
int lmdb_peer_write(lmdb_peer *peer, const uint8_t *values, size_t length, size_t number, size_t batch) {
  int seen = 0;
  uint8_t(*names)[20] = malloc(20 * batch);
  if (!names) return -1;
  for (size_t first = 0; first < number; first += batch) {
    size_t end = first + batch < number ? first + batch : number;
    for (size_t index = first; index < end; index++) {
      name_of(values + length * index, names[index - first]);
      MDB_val name = {20, names[index - first]}, value;
      mdb_txn_renew(peer->reader);
      if (mdb_get(peer->reader, peer->packets, &name, &value) == 0) seen += ((uint8_t *)value.mv_data)[8 + 8 + 96];
      mdb_txn_reset(peer->reader);
    }
    MDB_txn *transaction;
    MDB_cursor *packets, *uses;
    MDB_stat statistics;
    if (mdb_txn_begin(peer->environment, NULL, 0, &transaction) ||
        mdb_cursor_open(transaction, peer->packets, &packets) || mdb_cursor_open(transaction, peer->uses, &uses) ||
        mdb_stat(transaction, peer->packets, &statistics))
      return -1;
    size_t count = statistics.ms_entries;
    for (size_t index = first; index < end; index++) {
      if (put(peer, transaction, packets, uses, names[index - first], values + length * index, length, &count)) return -1;
    }
    if (mdb_txn_commit(transaction)) return -1;
  }
  free(names);
  return seen < 0;
}
