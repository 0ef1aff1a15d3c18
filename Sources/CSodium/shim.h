#pragma once
#include <sodium.h>

// 64 random bits of the system's generator. Each thread asks it for 32 words at a time, since to ask costs half a
// microsecond however little is wanted; a word that was given away is kept nowhere.
static inline uint64_t sodium_random_word(void) {
  static _Thread_local uint64_t words[32];
  static _Thread_local unsigned left;
  if (left == 0) {
    randombytes_buf(words, sizeof words);
    left = sizeof words / sizeof *words;
  }
  uint64_t word = words[--left];
  words[left] = 0;
  return word;
}
