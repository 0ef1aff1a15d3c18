#include "CPeers.h"
#include <sodium.h>

int sodium_verify(const uint8_t *signature, const uint8_t *message, size_t count, const uint8_t *key) {
  return crypto_sign_ed25519_verify_detached(signature, message, count, key) == 0;
}
