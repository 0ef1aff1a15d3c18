#include "CPeers.h"
#include <libtorrent/bdecode.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/entry.hpp>

namespace {
// libtorrent's DHT keeps one decoded message and these limits (kademlia/dht_tracker.cpp); so no allocation is counted
// against it that it does not make in service.
lt::bdecode_node message;
lt::entry prepared;

bool decode(const char *bytes, size_t count) {
  lt::error_code error;
  int position = 0;
  return lt::bdecode(bytes, bytes + count, message, error, &position, 10, 500) == 0;
}
}  // namespace

int libtorrent_bdecode(const char *bytes, size_t count) { return decode(bytes, count) ? message.dict_size() : -1; }

int libtorrent_bdecode_get_reply(const char *bytes, size_t count) {
  if (!decode(bytes, count)) return -1;
  auto const reply = message.dict_find_dict("r");
  if (!reply) return -2;
  auto const found = message.dict_find_string_value("t").size() + message.dict_find_string_value("y").size()
    + reply.dict_find_string_value("id").size() + reply.dict_find_string_value("token").size()
    + reply.dict_find_string_value("nodes").size() + reply.dict_find_string_value("k").size()
    + reply.dict_find_string_value("sig").size() + reply.dict_find("v").data_section().size();
  return int(found) + (reply.dict_find_int_value("seq") != 0);
}

int libtorrent_prepare(const char *bytes, size_t count) {
  if (!decode(bytes, count)) return -1;
  prepared = message;
  return 0;
}

int libtorrent_bencode(char *output) { return lt::bencode(output, prepared); }
