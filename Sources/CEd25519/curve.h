// Eight points of edwards25519 side by side (RFC 8032 §5.1), in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z.
#pragma once
#include "field.h"
#include <string.h>

typedef struct {
  fe8 x, y, z, t;
} point8;

/// A point in the form in which it is added.
typedef struct {
  fe8 y_plus_x, y_minus_x, z, t2d;
} addend8;

/// One that is added without its Z, which is 1.
typedef struct {
  fe8 y_plus_x, y_minus_x, xy2d;
} affine_addend8;

/// What ced25519_prepare computes.
static struct {
  uint64_t d[5], d2[5], sqrt_minus_1[5];
  /// The multiples 1 to 8 of the base point as affine addends: limb j of coordinate i of all eight in one register, so that
  /// each lane picks its own with one permutation.
  lanes64 base[3][5];
} tables;

static inline point8 point8_identity(void) {
  point8 r = {fe8_small(0), fe8_small(1), fe8_small(1), fe8_small(0)};
  return r;
}

/// Twice a point; T is computed only if an addition follows.
static inline point8 point8_double(point8 p, int with_t) {
  fe8 xx = fe8_square(p.x), yy = fe8_square(p.y), zz = fe8_square(p.z), sum = fe8_square(fe8_add(p.x, p.y));
  fe8 h = fe8_add(yy, xx), g = fe8_subtract(yy, xx), e = fe8_subtract(sum, h);
  fe8 f = fe8_subtract(fe8_add(fe8_add(zz, zz), xx), yy);
  point8 r = {fe8_multiply(e, f), fe8_multiply(h, g), fe8_multiply(g, f), fe8_small(0)};
  if (with_t) r.t = fe8_multiply(e, h);
  return r;
}

/// The end that both additions share: from A, B, C, D of RFC 8032 §5.1.4.
static inline point8 point8_sum(fe8 a, fe8 b, fe8 c, fe8 d, int with_t) {
  fe8 e = fe8_subtract(b, a), h = fe8_add(b, a), g = fe8_add(d, c), f = fe8_subtract(d, c);
  point8 r = {fe8_multiply(e, f), fe8_multiply(h, g), fe8_multiply(g, f), fe8_small(0)};
  if (with_t) r.t = fe8_multiply(e, h);
  return r;
}

static inline point8 point8_add(point8 p, addend8 q, int with_t) {
  fe8 a = fe8_multiply(fe8_subtract(p.y, p.x), q.y_minus_x), b = fe8_multiply(fe8_add(p.y, p.x), q.y_plus_x);
  fe8 zz = fe8_multiply(p.z, q.z);
  return point8_sum(a, b, fe8_multiply(p.t, q.t2d), fe8_add(zz, zz), with_t);
}

static inline point8 point8_add_affine(point8 p, affine_addend8 q, int with_t) {
  fe8 a = fe8_multiply(fe8_subtract(p.y, p.x), q.y_minus_x), b = fe8_multiply(fe8_add(p.y, p.x), q.y_plus_x);
  return point8_sum(a, b, fe8_multiply(p.t, q.xy2d), fe8_add(p.z, p.z), with_t);
}

static inline addend8 addend8_of(point8 p) {
  addend8 r = {fe8_add(p.y, p.x), fe8_subtract(p.y, p.x), p.z, fe8_multiply(p.t, fe8_constant(tables.d2))};
  return r;
}

/// The points of eight encodings, and the lanes in which there is one.
static __mmask8 point8_decompress(const uint8_t *const encodings[8], point8 *result) {
  uint64_t limbs[5][8];
  __mmask8 sign = 0;
  for (int lane = 0; lane < 8; lane++) {
    uint64_t w[4];
    memcpy(w, encodings[lane], 32);
    sign |= (__mmask8)((w[3] >> 63) << lane);
    limbs[0][lane] = w[0] & low51;
    limbs[1][lane] = (w[0] >> 51 | w[1] << 13) & low51;
    limbs[2][lane] = (w[1] >> 38 | w[2] << 26) & low51;
    limbs[3][lane] = (w[2] >> 25 | w[3] << 39) & low51;
    limbs[4][lane] = w[3] >> 12 & low51;
  }
  fe8 y;
  for (int i = 0; i < 5; i++) y.limb[i] = _mm512_loadu_si512(limbs[i]);
  // x² = u/v; the candidate is u v³ (u v⁷)^((p−5)/8), or that times √−1.
  fe8 yy = fe8_square(y), u = fe8_subtract(yy, fe8_small(1));
  fe8 v = fe8_add(fe8_multiply(yy, fe8_constant(tables.d)), fe8_small(1));
  fe8 v3 = fe8_multiply(fe8_square(v), v), v7 = fe8_multiply(fe8_square(v3), v);
  fe8 x = fe8_multiply(fe8_multiply(fe8_power_p58(fe8_multiply(u, v7)), v3), u);
  fe8 vxx = fe8_multiply(fe8_square(x), v);
  __mmask8 is_root = fe8_is_zero(fe8_subtract(vxx, u)), is_other = fe8_is_zero(fe8_add(vxx, u));
  x = fe8_select(is_root, fe8_multiply(x, fe8_constant(tables.sqrt_minus_1)), x);
  x = fe8_select(fe8_is_odd(x) ^ sign, x, fe8_negate(x));
  result->x = x;
  result->y = y;
  result->z = fe8_small(1);
  result->t = fe8_multiply(x, y);
  return is_root | is_other;
}
