// Eight elements of the field of 2^255 − 19 side by side: limb i of all eight in one register.
//
// An element is five limbs of 51 bits and a little. Between operations ("weakly reduced") each limb stays below 2^51 + 2^16,
// which leaves room below the 52 bits that vpmadd52 reads of an operand. The value itself may be p or more.
#pragma once
#include <immintrin.h>
#include <stdint.h>

typedef __m512i lanes64;

typedef struct {
  lanes64 limb[5];
} fe8;

static const uint64_t low51 = (1ull << 51) - 1;

static inline lanes64 all(uint64_t x) { return _mm512_set1_epi64((long long)x); }

static inline fe8 fe8_small(uint64_t x) {
  fe8 r = {{all(x), all(0), all(0), all(0), all(0)}};
  return r;
}

static inline fe8 fe8_constant(const uint64_t limbs[5]) {
  fe8 r;
  for (int i = 0; i < 5; i++) r.limb[i] = all(limbs[i]);
  return r;
}

/// In the lanes of `mask` the element `b`, in the others `a`.
static inline fe8 fe8_select(__mmask8 mask, fe8 a, fe8 b) {
  for (int i = 0; i < 5; i++) a.limb[i] = _mm512_mask_blend_epi64(mask, a.limb[i], b.limb[i]);
  return a;
}

/// Weakly reduces limbs of any size: each carry is below 2^13, and 19 of the topmost below 2^18.
static inline fe8 fe8_carry(fe8 a) {
  lanes64 carry[5];
  for (int i = 0; i < 5; i++) {
    carry[i] = _mm512_srli_epi64(a.limb[i], 51);
    a.limb[i] = _mm512_and_epi64(a.limb[i], all(low51));
  }
  for (int i = 1; i < 5; i++) a.limb[i] = _mm512_add_epi64(a.limb[i], carry[i - 1]);
  a.limb[0] = _mm512_madd52lo_epu64(a.limb[0], carry[4], all(19));
  return a;
}

static inline fe8 fe8_add(fe8 a, fe8 b) {
  for (int i = 0; i < 5; i++) a.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
  return fe8_carry(a);
}

/// Adds 4p first, so that no limb falls below zero.
static inline fe8 fe8_subtract(fe8 a, fe8 b) {
  a.limb[0] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[0], all(0x1FFFFFFFFFFFB4)), b.limb[0]);
  for (int i = 1; i < 5; i++) {
    a.limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[i], all(0x1FFFFFFFFFFFFC)), b.limb[i]);
  }
  return fe8_carry(a);
}

static inline fe8 fe8_negate(fe8 a) { return fe8_subtract(fe8_small(0), a); }

/// Folds the ten columns of a product. `low` and `high` hold sums of at most five halves of products, below 2^55; a high
/// half counts 2^52, twice the weight of the next column. Columns 5 to 9 count 19 times in columns 0 to 4, so that these stay
/// below 2^61 before they are carried.
static inline fe8 fe8_fold(lanes64 low[10], const lanes64 high[10]) {
  fe8 r;
  for (int i = 0; i < 10; i++) low[i] = _mm512_add_epi64(low[i], _mm512_add_epi64(high[i], high[i]));
  for (int i = 0; i < 5; i++) {
    lanes64 x = low[i + 5];
    lanes64 x19 = _mm512_add_epi64(_mm512_slli_epi64(x, 4), _mm512_add_epi64(x, _mm512_add_epi64(x, x)));
    r.limb[i] = _mm512_add_epi64(low[i], x19);
  }
  for (int i = 0; i < 4; i++) {
    r.limb[i + 1] = _mm512_add_epi64(r.limb[i + 1], _mm512_srli_epi64(r.limb[i], 51));
    r.limb[i] = _mm512_and_epi64(r.limb[i], all(low51));
  }
  lanes64 carry = _mm512_srli_epi64(r.limb[4], 51);
  r.limb[4] = _mm512_and_epi64(r.limb[4], all(low51));
  r.limb[0] = _mm512_madd52lo_epu64(r.limb[0], carry, all(19));
  carry = _mm512_srli_epi64(r.limb[0], 51);
  r.limb[0] = _mm512_and_epi64(r.limb[0], all(low51));
  r.limb[1] = _mm512_add_epi64(r.limb[1], carry);
  return r;
}

static inline fe8 fe8_multiply(fe8 a, fe8 b) {
  lanes64 low[10], high[10];
  for (int i = 0; i < 10; i++) low[i] = high[i] = _mm512_setzero_si512();
  for (int i = 0; i < 5; i++) {
    for (int j = 0; j < 5; j++) {
      low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.limb[i], b.limb[j]);
      high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.limb[i], b.limb[j]);
    }
  }
  return fe8_fold(low, high);
}

/// Each product of two different limbs appears twice.
static inline fe8 fe8_square(fe8 a) {
  lanes64 low[10], high[10];
  for (int i = 0; i < 10; i++) low[i] = high[i] = _mm512_setzero_si512();
  for (int i = 0; i < 5; i++) {
    for (int j = i + 1; j < 5; j++) {
      low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.limb[i], a.limb[j]);
      high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.limb[i], a.limb[j]);
    }
  }
  for (int i = 0; i < 10; i++) {
    low[i] = _mm512_add_epi64(low[i], low[i]);
    high[i] = _mm512_add_epi64(high[i], high[i]);
  }
  for (int i = 0; i < 5; i++) {
    low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a.limb[i], a.limb[i]);
    high[2 * i + 1] = _mm512_madd52hi_epu64(high[2 * i + 1], a.limb[i], a.limb[i]);
  }
  return fe8_fold(low, high);
}

static fe8 fe8_square_times(fe8 a, int count) {
  while (count-- > 0) a = fe8_square(a);
  return a;
}

/// z^(2^250 − 1) and, beside it, z^11: the common beginning of both powers below.
static fe8 fe8_power_250(fe8 z, fe8 *z11) {
  fe8 z2 = fe8_square(z);
  fe8 z9 = fe8_multiply(fe8_square_times(z2, 2), z);
  *z11 = fe8_multiply(z9, z2);
  fe8 ones5 = fe8_multiply(fe8_square(*z11), z9);
  fe8 ones10 = fe8_multiply(fe8_square_times(ones5, 5), ones5);
  fe8 ones20 = fe8_multiply(fe8_square_times(ones10, 10), ones10);
  fe8 ones40 = fe8_multiply(fe8_square_times(ones20, 20), ones20);
  fe8 ones50 = fe8_multiply(fe8_square_times(ones40, 10), ones10);
  fe8 ones100 = fe8_multiply(fe8_square_times(ones50, 50), ones50);
  fe8 ones200 = fe8_multiply(fe8_square_times(ones100, 100), ones100);
  return fe8_multiply(fe8_square_times(ones200, 50), ones50);
}

/// z^(p − 2): the inverse, and 0 of 0.
static fe8 fe8_invert(fe8 z) {
  fe8 z11, power = fe8_power_250(z, &z11);
  return fe8_multiply(fe8_square_times(power, 5), z11);
}

/// z^((p − 5) / 8), with which square roots of fractions are found (RFC 8032 §5.1.3).
static fe8 fe8_power_p58(fe8 z) {
  fe8 z11, power = fe8_power_250(z, &z11);
  return fe8_multiply(fe8_square_times(power, 2), z);
}

/// The one encoding of each element: four words of each lane, below p.
static void fe8_encode(fe8 a, uint64_t words[8][4]) {
  uint64_t limbs[5][8];
  for (int i = 0; i < 5; i++) _mm512_storeu_si512(limbs[i], a.limb[i]);
  for (int lane = 0; lane < 8; lane++) {
    uint64_t f[5];
    for (int i = 0; i < 5; i++) f[i] = limbs[i][lane];
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 4; i++) {
        f[i + 1] += f[i] >> 51;
        f[i] &= low51;
      }
      f[0] += 19 * (f[4] >> 51);
      f[4] &= low51;
    }
    // Below 2^255 now but for a few units: at least p exactly if adding 19 carries out of the top.
    uint64_t carry = (f[0] + 19) >> 51;
    for (int i = 1; i < 5; i++) carry = (f[i] + carry) >> 51;
    f[0] += 19 * carry;
    for (int i = 0; i < 4; i++) {
      f[i + 1] += f[i] >> 51;
      f[i] &= low51;
    }
    f[4] &= low51;
    words[lane][0] = f[0] | f[1] << 51;
    words[lane][1] = f[1] >> 13 | f[2] << 38;
    words[lane][2] = f[2] >> 26 | f[3] << 25;
    words[lane][3] = f[3] >> 39 | f[4] << 12;
  }
}

/// The lanes whose element is 0.
static __mmask8 fe8_is_zero(fe8 a) {
  uint64_t words[8][4];
  fe8_encode(a, words);
  __mmask8 mask = 0;
  for (int lane = 0; lane < 8; lane++) {
    uint64_t bits = words[lane][0] | words[lane][1] | words[lane][2] | words[lane][3];
    mask |= (__mmask8)((bits == 0) << lane);
  }
  return mask;
}

/// The lanes whose element is odd, which RFC 8032 calls negative.
static __mmask8 fe8_is_odd(fe8 a) {
  uint64_t words[8][4];
  fe8_encode(a, words);
  __mmask8 mask = 0;
  for (int lane = 0; lane < 8; lane++) mask |= (__mmask8)((words[lane][0] & 1) << lane);
  return mask;
}
