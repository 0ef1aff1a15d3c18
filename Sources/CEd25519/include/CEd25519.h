// Ed25519 verification of eight signatures at once, in the lanes of AVX-512 registers (x86-64 with IFMA).
//
// Only for public data: time and memory access depend on the input.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { ced25519_lanes = 8 };

/// What is left of one signature check once the message is hashed; all numbers little-endian.
typedef struct {
  uint8_t key[32]; // A: the encoded point of the signer
  uint8_t r[32];   // R: the first half of the signature, an encoded point
  uint8_t s[32];   // S: the second half, a scalar below the order L of the base point
  uint8_t k[32];   // SHA-512(R | A | message) modulo L
} ced25519_equation;

/// Whether this processor and the operating system can do it.
bool ced25519_is_supported(void);

/// Whether this file was compiled with optimisation. Without it the lanes are slower than checking one by one.
bool ced25519_is_optimized(void);

/// Computes the tables that ced25519_verify reads. Once, before the first verification, and only if supported.
void ced25519_prepare(void);

/// Checks R = S·B − k·A, comparing encodings (without the cofactor), for eight equations. Bit i of the result: equation i
/// holds, and its key decompresses (RFC 8032 §5.1.3, but y ≥ p is reduced, and x = 0 may have its sign bit set).
uint8_t ced25519_verify(const ced25519_equation equations[ced25519_lanes]);
