#pragma once
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
// `gnutls_free` is a variable that holds a function, which Swift cannot read safely.
static inline void gnutls_release(void *memory) { gnutls_free(memory); }
// A macro with an argument, which Swift does not see.
static inline unsigned int gnutls_bits_of_curve(gnutls_ecc_curve_t curve) { return GNUTLS_CURVE_TO_BITS(curve); }
