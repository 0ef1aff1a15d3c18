#pragma once
#include <nettle/sha1.h>

static inline void sha1_hash(const void *message, size_t length, void *digest) {
  struct sha1_ctx context;
  sha1_init(&context);
  sha1_update(&context, length, (const uint8_t *)message);
  sha1_digest(&context, SHA1_DIGEST_SIZE, (uint8_t *)digest);
}
