// The files of the web app, as they are in the folder web, inside of the program: a single file needs no folder beside it.
#pragma once
#include <stddef.h>

typedef struct web_app_file {
  const char *_Nonnull name;
  const unsigned char *_Nonnull bytes;
  size_t count;
} web_app_file;

// The file at an index, NULL behind the last. Modules come in an order in which each imports only what came before it.
const web_app_file *_Nullable web_app_file_at(size_t index);
