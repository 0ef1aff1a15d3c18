#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a node of a TOML document is.
typedef enum ctoml_kind {
  CTOML_TABLE,
  CTOML_ARRAY,
  CTOML_STRING,
  CTOML_INTEGER,
  CTOML_FLOAT,
  CTOML_BOOLEAN,
  CTOML_DATE_TIME,
} ctoml_kind;

/// One node, with where it stands. Lines and columns count from 1, columns in code points; 0 if not known.
typedef struct ctoml_node {
  ctoml_kind kind;
  int32_t parent;  ///< index of the table or array that holds it, -1 for the root
  uint32_t line, column;  ///< of the value
  uint32_t key_line, key_column;  ///< of the key, 0 for elements of arrays
  const char *key;  ///< UTF-8, not terminated; NULL for elements of arrays
  size_t key_length;
  const char *text;  ///< of strings, dates and times; UTF-8, not terminated
  size_t text_length;
  int64_t integer;  ///< of whole numbers and booleans
  double number;
} ctoml_node;

typedef struct ctoml_document ctoml_document;

/// Parses TOML 1.0. The result owns everything that it hands out; NULL only if memory ran out.
ctoml_document *ctoml_parse(const char *text, size_t length);

/// All nodes, each after its parent; none if parsing failed.
const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count);

/// Why and where parsing failed; NULL if it did not.
const char *ctoml_error(const ctoml_document *document, uint32_t *line, uint32_t *column);

void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif
