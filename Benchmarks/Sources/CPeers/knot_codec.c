#include "CPeers.h"
#include <libknot/libknot.h>
#include <stdlib.h>
#include <string.h>

int knot_walk(uint8_t *bytes, size_t count) {
  knot_pkt_t *packet = knot_pkt_new(bytes, count, NULL);
  int answers = knot_pkt_parse(packet, 0) == KNOT_EOK ? knot_wire_get_ancount(bytes) : -1;
  knot_pkt_free(packet);
  return answers;
}

static knot_pkt_t *prepared, *output;

int knot_prepare(const uint8_t *bytes, size_t count) {
  uint8_t *copy = malloc(count);
  memcpy(copy, bytes, count);
  prepared = knot_pkt_new(copy, count, NULL);
  return knot_pkt_parse(prepared, 0) == KNOT_EOK ? 0 : -1;
}

int knot_write(size_t capacity) {
  if (!output) output = knot_pkt_new(NULL, capacity, NULL);
  knot_pkt_clear(output);
  knot_pkt_begin(output, KNOT_ANSWER);
  const knot_pktsection_t *answers = knot_pkt_section(prepared, KNOT_ANSWER);
  for (int index = 0; index < answers->count; index++) {
    if (knot_pkt_put(output, KNOT_COMPR_HINT_NONE, knot_pkt_rr(answers, index), 0) != KNOT_EOK) return -1;
  }
  return (int)output->size;
}
