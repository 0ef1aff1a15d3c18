#include "CPeers.h"
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

// What a C program would do with LMDB in place of the packet store: two tables, the same flags, the same calls, one
// thread, nothing checked but the codes.
struct lmdb_peer {
  MDB_env *environment;
  MDB_dbi packets, uses;
  MDB_txn *reader;
  uint64_t stamp;
  size_t capacity;
};

static uint64_t big_endian(uint64_t word) { return __builtin_bswap64(word); }

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
  mdb_txn_reset(peer->reader);
  return peer;
}

void lmdb_peer_close(lmdb_peer *peer) {
  mdb_txn_abort(peer->reader);
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
  memcpy((uint8_t *)value.mv_data + 8, bytes + 8, length - 8);
  return mdb_cursor_put(uses, &use, &owner, MDB_APPEND);
}

// Looks at what is there and then writes, as the update rule wants; `batch` packets in each transaction. 0 on success.
int lmdb_peer_write(
    lmdb_peer *peer, const uint8_t *keys, const uint8_t *values, size_t length, size_t number, size_t batch) {
  int seen = 0;
  for (size_t first = 0; first < number; first += batch) {
    size_t end = first + batch < number ? first + batch : number;
    for (size_t index = first; index < end; index++) {
      MDB_val name = {20, (void *)(keys + 20 * index)}, value;
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
      if (put(peer, transaction, packets, uses, keys + 20 * index, values + length * index, length, &count)) return -1;
    }
    if (mdb_txn_commit(transaction)) return -1;
  }
  return seen < 0;
}
