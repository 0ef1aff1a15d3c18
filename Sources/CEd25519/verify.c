#include "CEd25519.h"

bool ced25519_is_optimized(void) {
#ifdef __OPTIMIZE__
  return true;
#else
  return false;
#endif
}

#if defined(__x86_64__)

bool ced25519_is_supported(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vl")
    && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2");
}

// All from here on runs only where it is supported.
#pragma clang attribute push(__attribute__((target("avx512f,avx512ifma,avx512vl,avx512dq,bmi2"))), apply_to = function)

#include "curve.h"

/// The limbs of the element in the first lane.
static void first_lane(fe8 a, uint64_t limbs[5]) {
  for (int i = 0; i < 5; i++) {
    uint64_t lanes[8];
    _mm512_storeu_si512(lanes, a.limb[i]);
    limbs[i] = lanes[0];
  }
}

void ced25519_prepare(void) {
  // d = −121665/121666; √−1 = 2^((p−1)/4).
  fe8 d = fe8_multiply(fe8_negate(fe8_small(121665)), fe8_invert(fe8_small(121666)));
  first_lane(d, tables.d);
  first_lane(fe8_add(d, d), tables.d2);
  first_lane(fe8_multiply(fe8_square(fe8_power_p58(fe8_small(2))), fe8_small(2)), tables.sqrt_minus_1);
  // B has y = 4/5, which is 58 66 66 … 66.
  uint8_t encoding[32];
  memset(encoding, 0x66, 32);
  encoding[0] = 0x58;
  const uint8_t *encodings[8];
  for (int lane = 0; lane < 8; lane++) encodings[lane] = encoding;
  point8 base;
  point8_decompress(encodings, &base);
  addend8 step = addend8_of(base);
  uint64_t table[3][5][8];
  for (int multiple = 0; multiple < 8; multiple++) {
    fe8 z = fe8_invert(base.z), x = fe8_multiply(base.x, z), y = fe8_multiply(base.y, z);
    fe8 xy2d = fe8_multiply(fe8_multiply(x, y), fe8_constant(tables.d2));
    fe8 coordinates[3] = {fe8_add(y, x), fe8_subtract(y, x), xy2d};
    for (int i = 0; i < 3; i++) {
      uint64_t limbs[5];
      first_lane(coordinates[i], limbs);
      for (int j = 0; j < 5; j++) table[i][j][multiple] = limbs[j];
    }
    base = point8_add(base, step, 1);
  }
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 5; j++) tables.base[i][j] = _mm512_loadu_si512(table[i][j]);
  }
}

/// The 64 digits of a scalar below 2^253 to the base 16, each from −7 to 8, into one lane.
static void write_digits(const uint8_t scalar[32], int8_t digits[64][8], int lane) {
  int carry = 0;
  for (int i = 0; i < 64; i++) {
    int digit = ((scalar[i >> 1] >> ((i & 1) * 4)) & 15) + carry;
    carry = digit > 8 && i < 63;
    digits[i][lane] = (int8_t)(digit - (carry << 4));
  }
}

/// One digit of each lane: its size and the lanes in which it is negative.
static inline lanes64 read_digits(const int8_t digits[8], __mmask8 *negative) {
  lanes64 wide = _mm512_cvtepi8_epi64(_mm_loadl_epi64((const void *)digits));
  *negative = _mm512_cmplt_epi64_mask(wide, _mm512_setzero_si512());
  return _mm512_abs_epi64(wide);
}

/// Adds to `p` the multiple of each lane's point that its digit names; `multiples` are 0 to 8 of them.
static inline point8 add_multiple(point8 p, const addend8 multiples[9], const int8_t digits[8]) {
  __mmask8 negative;
  lanes64 size = read_digits(digits, &negative);
  addend8 q = multiples[0];
  for (int multiple = 1; multiple <= 8; multiple++) {
    __mmask8 mask = _mm512_cmpeq_epi64_mask(size, all((uint64_t)multiple));
    const addend8 *source = &multiples[multiple];
    q.y_plus_x = fe8_select(mask, q.y_plus_x, source->y_plus_x);
    q.y_minus_x = fe8_select(mask, q.y_minus_x, source->y_minus_x);
    q.z = fe8_select(mask, q.z, source->z);
    q.t2d = fe8_select(mask, q.t2d, source->t2d);
  }
  addend8 signed_q = {
    fe8_select(negative, q.y_plus_x, q.y_minus_x), fe8_select(negative, q.y_minus_x, q.y_plus_x), q.z,
    fe8_select(negative, q.t2d, fe8_negate(q.t2d))};
  return point8_add(p, signed_q, 1);
}

/// Adds to `p` the multiple of the base point that each lane's digit names.
static inline point8 add_base_multiple(point8 p, const int8_t digits[8], int with_t) {
  __mmask8 negative;
  lanes64 size = read_digits(digits, &negative);
  __mmask8 zero = _mm512_cmpeq_epi64_mask(size, _mm512_setzero_si512());
  // Of a digit 0 the index wraps to some entry, which is not used.
  lanes64 index = _mm512_sub_epi64(size, all(1));
  fe8 entry[3];
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 5; j++) entry[i].limb[j] = _mm512_permutexvar_epi64(index, tables.base[i][j]);
    entry[i] = fe8_select(zero, entry[i], fe8_small(i < 2 ? 1 : 0));
  }
  affine_addend8 q = {
    fe8_select(negative, entry[0], entry[1]), fe8_select(negative, entry[1], entry[0]),
    fe8_select(negative, entry[2], fe8_negate(entry[2]))};
  return point8_add_affine(p, q, with_t);
}

uint8_t ced25519_verify(const ced25519_equation equations[ced25519_lanes]) {
  int8_t k_digits[64][8], s_digits[64][8];
  const uint8_t *keys[8];
  for (int lane = 0; lane < 8; lane++) {
    write_digits(equations[lane].k, k_digits, lane);
    write_digits(equations[lane].s, s_digits, lane);
    keys[lane] = equations[lane].key;
  }
  point8 a;
  __mmask8 holds = point8_decompress(keys, &a);
  a.x = fe8_negate(a.x);
  a.t = fe8_negate(a.t);
  addend8 multiples[9];
  multiples[0] = addend8_of(point8_identity());
  multiples[1] = addend8_of(a);
  for (int multiple = 2; multiple <= 8; multiple++) {
    a = point8_add(a, multiples[1], 1);
    multiples[multiple] = addend8_of(a);
  }
  // S·B + k·(−A), four bits of both scalars at a time from the top.
  point8 sum = point8_identity();
  for (int i = 63; i >= 0; i--) {
    if (i < 63) {
      for (int bit = 0; bit < 4; bit++) sum = point8_double(sum, bit == 3);
    }
    sum = add_multiple(sum, multiples, k_digits[i]);
    sum = add_base_multiple(sum, s_digits[i], i == 0);
  }
  fe8 z = fe8_invert(sum.z);
  __mmask8 odd = fe8_is_odd(fe8_multiply(sum.x, z));
  uint64_t encoding[8][4];
  fe8_encode(fe8_multiply(sum.y, z), encoding);
  for (int lane = 0; lane < 8; lane++) {
    encoding[lane][3] |= (uint64_t)(odd >> lane & 1) << 63;
    if (memcmp(encoding[lane], equations[lane].r, 32) != 0) holds &= (__mmask8)~(1 << lane);
  }
  return holds;
}

#pragma clang attribute pop

#else

bool ced25519_is_supported(void) { return false; }
void ced25519_prepare(void) {}
uint8_t ced25519_verify(const ced25519_equation equations[ced25519_lanes]) { return 0; }

#endif
