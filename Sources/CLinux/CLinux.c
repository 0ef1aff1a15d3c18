#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <link.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint64_t mapped_prefix = 0x0000ffffULL << 32;

static uint64_t load_big_endian(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return __builtin_bswap64(word);
}

static void store_big_endian(uint8_t *bytes, uint64_t word) {
  word = __builtin_bswap64(word);
  memcpy(bytes, &word, sizeof word);
}

socklen_t linux_sockaddr_store(struct sockaddr_storage *address, int family, linux_endpoint endpoint) {
  if (family == AF_INET) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    memset(v4, 0, sizeof *v4);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    v4->sin_addr.s_addr = htonl((uint32_t)endpoint.low);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  memset(v6, 0, sizeof *v6);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(endpoint.port);
  store_big_endian(v6->sin6_addr.s6_addr, endpoint.high);
  store_big_endian(v6->sin6_addr.s6_addr + 8, endpoint.low);
  return sizeof *v6;
}

linux_endpoint linux_sockaddr_load(const struct sockaddr_storage *address) {
  linux_endpoint endpoint = {0, 0, 0};
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    endpoint.low = mapped_prefix | ntohl(v4->sin_addr.s_addr);
    endpoint.port = ntohs(v4->sin_port);
  } else if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    endpoint.high = load_big_endian(v6->sin6_addr.s6_addr);
    endpoint.low = load_big_endian(v6->sin6_addr.s6_addr + 8);
    endpoint.port = ntohs(v6->sin6_port);
  }
  return endpoint;
}

int linux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(epoll, operation, descriptor, &event) < 0 ? -errno : 0;
}

void linux_thread_set_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int linux_thread_set_batch(void) {
  struct sched_param none = {0};
  return sched_setscheduler(0, SCHED_BATCH, &none) < 0 ? -errno : 0;
}

int linux_thread_is_batch(void) { return sched_getscheduler(0) == SCHED_BATCH; }

int linux_pipe(int *reading, int *writing) {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
  *reading = ends[0];
  *writing = ends[1];
  return 0;
}

static int set_option(int descriptor, int level, int name, int value) {
  return setsockopt(descriptor, level, name, &value, sizeof value);
}

int linux_udp_open(linux_udp_options options, linux_endpoint local) {
  int descriptor = socket(options.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int is_v6 = options.family == AF_INET6;
  // Buffer sizes are wishes: the kernel caps them at net.core.[rw]mem_max.
  if (options.buffer_size > 0) {
    set_option(descriptor, SOL_SOCKET, SO_RCVBUF, options.buffer_size);
    set_option(descriptor, SOL_SOCKET, SO_SNDBUF, options.buffer_size);
  }
  if ((is_v6 && set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
      (options.reuse_port && set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
      (options.report_unreachable &&
       set_option(descriptor, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_RECVERR : IP_RECVERR, 1) < 0)) {
    goto failed;
  }
  struct sockaddr_storage address;
  socklen_t length = linux_sockaddr_store(&address, options.family, local);
  if (bind(descriptor, (struct sockaddr *)&address, length) < 0) goto failed;
  return descriptor;
failed:;
  int code = errno;
  close(descriptor);
  return -code;
}

int linux_socket_local(int descriptor, linux_endpoint *endpoint) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  *endpoint = linux_sockaddr_load(&address);
  return 0;
}

int linux_socket_option(int descriptor, int level, int name, int *value) {
  socklen_t length = sizeof *value;
  return getsockopt(descriptor, level, name, value, &length) < 0 ? -errno : 0;
}

int linux_udp_take_error(int descriptor, linux_endpoint *destination, int *code) {
  struct sockaddr_storage address;
  memset(&address, 0, sizeof address);
  char byte;
  union {
    char bytes[512];
    struct cmsghdr alignment;
  } control;
  struct iovec vector = {&byte, 1};
  struct msghdr header = {
      .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &vector, .msg_iovlen = 1,
      .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return errno == EAGAIN ? 0 : -errno;
  *destination = linux_sockaddr_load(&address);
  *code = 0;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
    int is_error = (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR) ||
                   (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR);
    if (!is_error || item->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err))) continue;
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(item), sizeof error);
    *code = (int)error.ee_errno;
  }
  return 1;
}

linux_receive_batch *linux_receive_batch_create(int capacity, int slot_size) {
  linux_receive_batch *batch = calloc(1, sizeof *batch);
  if (!batch) return NULL;
  batch->capacity = capacity;
  batch->slot_size = slot_size;
  batch->bytes = calloc((size_t)capacity, (size_t)slot_size);
  batch->headers = calloc((size_t)capacity, sizeof *batch->headers);
  batch->vectors = calloc((size_t)capacity, sizeof *batch->vectors);
  batch->addresses = calloc((size_t)capacity, sizeof *batch->addresses);
  if (!batch->bytes || !batch->headers || !batch->vectors || !batch->addresses) {
    linux_receive_batch_destroy(batch);
    return NULL;
  }
  for (int i = 0; i < capacity; i++) {
    batch->vectors[i].iov_base = batch->bytes + (size_t)i * (size_t)slot_size;
    batch->vectors[i].iov_len = (size_t)slot_size;
    batch->headers[i].msg_hdr.msg_iov = batch->vectors + i;
    batch->headers[i].msg_hdr.msg_iovlen = 1;
    batch->headers[i].msg_hdr.msg_name = batch->addresses + i;
  }
  return batch;
}

void linux_receive_batch_destroy(linux_receive_batch *batch) {
  free(batch->bytes);
  free(batch->headers);
  free(batch->vectors);
  free(batch->addresses);
  free(batch);
}

int linux_receive_batch_fill(linux_receive_batch *batch, int descriptor) {
  for (int i = 0; i < batch->capacity; i++) {
    batch->headers[i].msg_hdr.msg_namelen = sizeof *batch->addresses;
    batch->headers[i].msg_hdr.msg_flags = 0;
  }
  int count = recvmmsg(descriptor, batch->headers, (unsigned)batch->capacity, MSG_DONTWAIT, NULL);
  return count < 0 ? -errno : count;
}

uint32_t linux_receive_batch_length(const linux_receive_batch *batch, int index) {
  return batch->headers[index].msg_len;
}

int linux_receive_batch_is_truncated(const linux_receive_batch *batch, int index) {
  return (batch->headers[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

linux_endpoint linux_receive_batch_sender(const linux_receive_batch *batch, int index) {
  return linux_sockaddr_load(batch->addresses + index);
}

linux_send_batch *linux_send_batch_create(int capacity) {
  linux_send_batch *batch = calloc(1, sizeof *batch);
  if (!batch) return NULL;
  batch->capacity = capacity;
  batch->headers = calloc((size_t)capacity, sizeof *batch->headers);
  batch->vectors = calloc((size_t)capacity, sizeof *batch->vectors);
  batch->addresses = calloc((size_t)capacity, sizeof *batch->addresses);
  if (!batch->headers || !batch->vectors || !batch->addresses) {
    linux_send_batch_destroy(batch);
    return NULL;
  }
  for (int i = 0; i < capacity; i++) {
    batch->headers[i].msg_hdr.msg_iov = batch->vectors + i;
    batch->headers[i].msg_hdr.msg_iovlen = 1;
    batch->headers[i].msg_hdr.msg_name = batch->addresses + i;
  }
  return batch;
}

void linux_send_batch_destroy(linux_send_batch *batch) {
  free(batch->headers);
  free(batch->vectors);
  free(batch->addresses);
  free(batch);
}

void linux_send_batch_set(
    linux_send_batch *batch, int index, int family, const void *bytes, size_t length, linux_endpoint destination) {
  batch->vectors[index].iov_base = (void *)bytes;
  batch->vectors[index].iov_len = length;
  batch->headers[index].msg_hdr.msg_namelen = linux_sockaddr_store(batch->addresses + index, family, destination);
}

int linux_send_batch_send(linux_send_batch *batch, int descriptor, int first, int count) {
  int sent = sendmmsg(descriptor, batch->headers + first, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

// Signal handlers may only touch lock-free atomics. A slot holds the descriptor + 1, 0 for "not captured".
static atomic_int signal_descriptors[65];
static struct sigaction former_actions[65];

static void forward_signal(int signal) {
  int code = errno;
  int descriptor = atomic_load(&signal_descriptors[signal]) - 1;
  unsigned char byte = (unsigned char)signal;
  if (descriptor >= 0) (void)!write(descriptor, &byte, 1);
  errno = code;
}

int linux_signal_capture(int signal, int descriptor) {
  if (signal < 1 || signal > 64) return -EINVAL;
  int vacant = 0;
  if (!atomic_compare_exchange_strong(&signal_descriptors[signal], &vacant, descriptor + 1)) return -EBUSY;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = forward_signal;
  action.sa_flags = SA_RESTART;
  if (sigaction(signal, &action, &former_actions[signal]) < 0) {
    int code = errno;
    atomic_store(&signal_descriptors[signal], 0);
    return -code;
  }
  return 0;
}

void linux_signal_release(int signal) {
  if (signal < 1 || signal > 64) return;
  if (!atomic_load(&signal_descriptors[signal])) return;
  sigaction(signal, &former_actions[signal], NULL);
  atomic_store(&signal_descriptors[signal], 0);
}

static int release_code_of(struct dl_phdr_info *object, size_t size, void *unused) {
  (void)size, (void)unused;
  // The kernel's own page of code cannot be given back, and has no file to come from.
  if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    // What can be written, or could until its addresses were filled in, differs from the file: never that.
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
    uintptr_t start = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
    if (start < end) (void)madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void linux_release_code(void) { dl_iterate_phdr(release_code_of, NULL); }

static _Thread_local void *thread_slot;

void *linux_thread_slot(void) { return thread_slot; }

void linux_set_thread_slot(void *pointer) { thread_slot = pointer; }
