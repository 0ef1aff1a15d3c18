// Stream sockets: TCP and Unix.
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

static int close_after_failure(int descriptor) {
  int code = errno;
  close(descriptor);
  return -code;
}

static int set_option(int descriptor, int level, int name, int value) {
  return setsockopt(descriptor, level, name, &value, sizeof value);
}

int linux_tcp_listen(linux_tcp_options options, linux_endpoint local) {
  int descriptor = socket(options.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  struct sockaddr_storage address;
  socklen_t length = linux_sockaddr_store(&address, options.family, local);
  if (set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
      (options.family == AF_INET6 && set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
      (options.reuse_port && set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
      bind(descriptor, (struct sockaddr *)&address, length) < 0 || listen(descriptor, options.backlog) < 0) {
    return close_after_failure(descriptor);
  }
  return descriptor;
}

// The length of the address, 0 if the path is too long.
static socklen_t store_unix(struct sockaddr_un *address, const char *path) {
  size_t length = strlen(path);
  if (length >= sizeof address->sun_path) return 0;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length + 1);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

int linux_unix_notify(const char *path, const void *bytes, size_t length) {
  struct sockaddr_un address;
  socklen_t size = store_unix(&address, path);
  if (size == 0) return -ENAMETOOLONG;
  if (path[0] == '@') {
    // In the abstract namespace a name has no end but its length.
    address.sun_path[0] = 0;
    size--;
  }
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  ssize_t sent = sendto(descriptor, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
  if (sent < 0) return close_after_failure(descriptor);
  close(descriptor);
  return 0;
}

int linux_unix_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  socklen_t length = store_unix(&address, path);
  if (length == 0) return -ENAMETOOLONG;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  if (bind(descriptor, (struct sockaddr *)&address, length) < 0 || listen(descriptor, backlog) < 0) {
    return close_after_failure(descriptor);
  }
  return descriptor;
}

int linux_accept(int listener, linux_endpoint *peer) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  address.ss_family = AF_UNSPEC;
  int descriptor = accept4(listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return -errno;
  *peer = linux_sockaddr_load(&address);
  // Answers are written in one piece: waiting for more would only delay them. Fails on Unix sockets, which never wait.
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  return descriptor;
}

static int connect_started(int descriptor, const struct sockaddr *address, socklen_t length) {
  if (connect(descriptor, address, length) < 0 && errno != EINPROGRESS) return close_after_failure(descriptor);
  return descriptor;
}

int linux_tcp_connect(int family, linux_endpoint remote) {
  int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  struct sockaddr_storage address;
  socklen_t length = linux_sockaddr_store(&address, family, remote);
  return connect_started(descriptor, (struct sockaddr *)&address, length);
}

int linux_unix_connect(const char *path) {
  struct sockaddr_un address;
  socklen_t length = store_unix(&address, path);
  if (length == 0) return -ENAMETOOLONG;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  return connect_started(descriptor, (struct sockaddr *)&address, length);
}

int linux_socket_error(int descriptor) {
  int code = 0;
  socklen_t length = sizeof code;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) < 0) return errno;
  return code;
}

int linux_socket_family(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  return address.ss_family;
}

int linux_socket_is_listening(int descriptor) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value;
}

int linux_set_nonblocking(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  return fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

ssize_t linux_receive(int descriptor, void *bytes, size_t length) {
  for (;;) {
    ssize_t count = recv(descriptor, bytes, length, 0);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

ssize_t linux_send(int descriptor, const void *bytes, size_t length) {
  for (;;) {
    ssize_t count = send(descriptor, bytes, length, MSG_NOSIGNAL);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}
