// What the benchmarks compare with, and how they measure: the smallest C entry points to libtorrent, libknot,
// libsodium and LMDB, the clocks, and a generator of DHT queries.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// CPU time of the calling thread and of another process, in nanoseconds; -1 if there is no such process.
int64_t thread_cpu_nanoseconds(void);
int64_t process_cpu_nanoseconds(int pid);
// CPU time of all processes that this one has started and that have ended, in nanoseconds.
int64_t children_cpu_nanoseconds(void);
int64_t monotonic_nanoseconds(void);
// Resident memory of a process in bytes that are its own (anonymous) and in all; 0 on success.
int process_memory(int pid, int64_t *anonymous, int64_t *resident);
// Keeps the calling thread, and those it starts, on one core, or lets it run anywhere again; 0 on success.
int pin_to_core(int core);
int unpin(void);
// Keeps all threads that there are, and those they start, on one core, or lets them run anywhere again; 0 on success.
int pin_all_threads_to_core(int core);
int unpin_all_threads(void);

// libtorrent-rasterbar. Each decodes one message; returns a sum over what it found, negative on failure.
int libtorrent_bdecode(const char *bytes, size_t count);
int libtorrent_bdecode_get_reply(const char *bytes, size_t count);
// Encodes the message that was last given to `libtorrent_prepare`; the number of bytes.
int libtorrent_prepare(const char *bytes, size_t count);
int libtorrent_bencode(char *output);

// libknot. `knot_walk` parses a message; `knot_write` writes the answers of the last prepared one without compression.
int knot_walk(uint8_t *bytes, size_t count);
int knot_prepare(const uint8_t *bytes, size_t count);
int knot_write(size_t capacity);

// libsodium: 1 if the signature is valid.
int sodium_verify(const uint8_t *signature, const uint8_t *message, size_t count, const uint8_t *key);

// LMDB, as the packet store uses it: keys of 20 bytes, values whose first 8 bytes are overwritten with a stamp. Those that are
// written are named by the SHA-1 of the public key in them.
typedef struct lmdb_peer lmdb_peer;
lmdb_peer *lmdb_peer_open(const char *path, size_t map_size, size_t capacity);
void lmdb_peer_close(lmdb_peer *peer);
size_t lmdb_peer_read(lmdb_peer *peer, const uint8_t *key, uint8_t *copy);
int lmdb_peer_write(lmdb_peer *peer, const uint8_t *values, size_t length, size_t number, size_t batch);

// `count` sockets on loopback that answer every DHT query with an id and nothing else, on a thread of their own, so that a
// node under load has neighbours that cost it nothing. Fills `ports`; 0 on success.
int responders_start(int count, uint16_t *ports);

enum query_kind { query_ping, query_find_node, query_get };

struct load_result {
  int64_t replies;        // answers received
  int64_t reply_bytes;    // their bytes in all
  int64_t errors;         // those that were KRPC errors
  int64_t nanoseconds;    // how long it took
  int64_t node_cpu;       // CPU time that the node's process used meanwhile, nanoseconds
};

// Queries to one node on loopback, `window` in flight from one socket, for some time. A null target means a new one for
// each query.
struct load_result load_queries(
    uint16_t port, int pid, enum query_kind kind, const uint8_t *target, int window, int64_t nanoseconds);

// `count` signed items, each 32 bytes key, 64 bytes signature; `value` is bencoded and the same for all, seq is 1.
// First asks for all the write tokens, then puts; only the puts are measured. `targets` are 20 bytes each.
struct load_result load_puts(
    uint16_t port, int pid, int count, const uint8_t *keys, const uint8_t *signatures, const uint8_t *targets,
    const uint8_t *value, size_t value_count, int window);

// Bytes of `nodes` in the answer to one find_node; negative without an answer.
int nodes_in_answer(uint16_t port);

#ifdef __cplusplus
}
#endif
