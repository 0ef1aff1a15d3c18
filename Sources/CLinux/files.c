// Files below a directory, for those who are told by strangers which one.
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Not blocking: a pipe that nobody writes to must not stop the caller.
static const int reading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

int linux_open_directory(const char *path) {
  int descriptor = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int linux_open_beneath_by_steps(int directory, const char *path) {
  char names[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof names) return -ENAMETOOLONG;
  memcpy(names, path, length + 1);
  int current = directory;
  char *name = names;
  for (;;) {
    char *slash = strchr(name, '/');
    if (slash) *slash = 0;
    if (!*name || !strcmp(name, "..")) {
      if (current != directory) close(current);
      return -EXDEV;
    }
    int next = openat(current, name, slash ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : reading | O_NOFOLLOW);
    int code = errno;
    if (current != directory) close(current);
    if (next < 0) return -code;
    if (!slash) return next;
    current = next;
    name = slash + 1;
  }
}

int linux_open_beneath(int directory, const char *path) {
  struct open_how how = {.flags = reading, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  for (int attempt = 0; attempt < 8; attempt++) {
    long descriptor = syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (descriptor >= 0) return (int)descriptor;
    // Kernels before 5.6, and sandboxes that do not know the call.
    if (errno == ENOSYS || errno == EPERM) return linux_open_beneath_by_steps(directory, path);
    // Something was renamed meanwhile.
    if (errno != EAGAIN && errno != EINTR) return -errno;
  }
  return -EAGAIN;
}
