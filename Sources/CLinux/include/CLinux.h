// Linux calls that Swift's Glibc module does not have (epoll, eventfd, recvmmsg, sendmmsg, socket error queues), and the
// arrays of C structures that they want. Swift sees flat pointers and counts. Functions return -errno on failure.
#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// An address and a port in host byte order; IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2).
typedef struct linux_endpoint {
  uint64_t high;
  uint64_t low;
  uint16_t port;
} linux_endpoint;

socklen_t linux_sockaddr_store(struct sockaddr_storage *_Nonnull address, int family, linux_endpoint endpoint);
linux_endpoint linux_sockaddr_load(const struct sockaddr_storage *_Nonnull address);

struct mmsghdr;

// --- Event loop

int linux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data);
void linux_thread_set_name(const char *_Nonnull name);
// Takes SCHED_BATCH for the calling thread. 0, or -errno.
int linux_thread_set_batch(void);
// True (1) if the calling thread has it.
int linux_thread_is_batch(void);
// Non-blocking and close-on-exec: the end to read from, the end to write to.
int linux_pipe(int *_Nonnull reading, int *_Nonnull writing);

// --- UDP

typedef struct linux_udp_options {
  int family;             // AF_INET or AF_INET6 (always IPv6 only)
  int buffer_size;        // bytes asked for, each way
  int reuse_port;         // not zero: SO_REUSEPORT
  int report_unreachable; // not zero: IP_RECVERR, see linux_udp_take_error
} linux_udp_options;

// A bound, non-blocking, close-on-exec socket.
int linux_udp_open(linux_udp_options options, linux_endpoint local);
int linux_socket_local(int descriptor, linux_endpoint *_Nonnull endpoint);
int linux_socket_option(int descriptor, int level, int name, int *_Nonnull value);

// Takes one ICMP error from the error queue: 1 and the destination of the datagram that failed, 0 if there is none.
int linux_udp_take_error(int descriptor, linux_endpoint *_Nonnull destination, int *_Nonnull code);

typedef struct linux_receive_batch {
  int capacity;
  int slot_size;
  uint8_t *_Nonnull bytes; // capacity * slot_size
  struct mmsghdr *_Nonnull headers;
  struct iovec *_Nonnull vectors;
  struct sockaddr_storage *_Nonnull addresses;
} linux_receive_batch;

linux_receive_batch *_Nullable linux_receive_batch_create(int capacity, int slot_size);
void linux_receive_batch_destroy(linux_receive_batch *_Nonnull batch);
// The number of datagrams received.
int linux_receive_batch_fill(linux_receive_batch *_Nonnull batch, int descriptor);
uint32_t linux_receive_batch_length(const linux_receive_batch *_Nonnull batch, int index);
int linux_receive_batch_is_truncated(const linux_receive_batch *_Nonnull batch, int index);
linux_endpoint linux_receive_batch_sender(const linux_receive_batch *_Nonnull batch, int index);

typedef struct linux_send_batch {
  int capacity;
  struct mmsghdr *_Nonnull headers;
  struct iovec *_Nonnull vectors;
  struct sockaddr_storage *_Nonnull addresses;
} linux_send_batch;

linux_send_batch *_Nullable linux_send_batch_create(int capacity);
void linux_send_batch_destroy(linux_send_batch *_Nonnull batch);
// Points slot `index` at bytes that must stay where they are until the batch has been sent.
void linux_send_batch_set(
    linux_send_batch *_Nonnull batch, int index, int family, const void *_Nullable bytes, size_t length,
    linux_endpoint destination);
// The number of datagrams sent, from slot `first` on.
int linux_send_batch_send(linux_send_batch *_Nonnull batch, int descriptor, int first, int count);

// --- UDP servers

// The address of this machine that a datagram reached, and where it came in.
typedef struct linux_local {
  linux_endpoint address; // without a port
  uint32_t interface;
  int is_known;
} linux_local;

// Asks for the local address of each datagram (IP_PKTINFO).
int linux_udp_report_local(int descriptor, int family);
int linux_socket_is_datagram(int descriptor);

// Queries that came in together, with room for a reply to each.
//
// Replies of equal length to one client leave as one message, which the kernel cuts (UDP_SEGMENT, udp(7)): they pass its layers
// only once.
typedef struct linux_reply_batch {
  int capacity;
  int query_size;
  int reply_size;
  int joins_replies;         // not zero if the kernel can cut messages
  int reply_count;           // replies that were added
  int message_count;         // messages that they will leave in
  uint8_t *_Nonnull queries; // capacity * query_size
  uint8_t *_Nonnull replies; // capacity * reply_size
  struct linux_reply *_Nonnull added;
  struct linux_message *_Nonnull messages;
  struct mmsghdr *_Nonnull incoming;
  struct mmsghdr *_Nonnull outgoing;
  struct iovec *_Nonnull vectors;
  struct sockaddr_storage *_Nonnull addresses;
  uint8_t *_Nonnull controls;
} linux_reply_batch;

// For a socket, which tells whether its kernel can cut messages.
linux_reply_batch *_Nullable linux_reply_batch_create(
    int descriptor, int capacity, int query_size, int reply_size);
void linux_reply_batch_destroy(linux_reply_batch *_Nonnull batch);
// The number of datagrams received.
int linux_reply_batch_fill(linux_reply_batch *_Nonnull batch, int descriptor);
uint32_t linux_reply_batch_length(const linux_reply_batch *_Nonnull batch, int index);
int linux_reply_batch_is_truncated(const linux_reply_batch *_Nonnull batch, int index);
linux_endpoint linux_reply_batch_sender(const linux_reply_batch *_Nonnull batch, int index);
linux_local linux_reply_batch_local(const linux_reply_batch *_Nonnull batch, int index);
// Adds the reply to query `index` to those to send: to its sender, from the address it was sent to.
void linux_reply_batch_add(linux_reply_batch *_Nonnull batch, int index, size_t length);
// Makes messages of the replies that were added since the last time; none may be added before all are sent.
void linux_reply_batch_seal(linux_reply_batch *_Nonnull batch, int family);
// The number of replies in a message.
int linux_reply_batch_replies(const linux_reply_batch *_Nonnull batch, int message);
// The number of messages sent, from `first` on.
int linux_reply_batch_send(linux_reply_batch *_Nonnull batch, int descriptor, int first);
// Sends each reply of a message by itself; the number of those sent.
int linux_reply_batch_send_singly(linux_reply_batch *_Nonnull batch, int descriptor, int message);
// Sends one reply later.
int linux_udp_reply(
    int descriptor, int family, const void *_Nonnull bytes, size_t length, linux_endpoint destination,
    linux_local local);

// --- Streams

typedef struct linux_tcp_options {
  int family;     // AF_INET or AF_INET6 (always IPv6 only)
  int reuse_port; // not zero: SO_REUSEPORT
  int backlog;
} linux_tcp_options;

// Listening, non-blocking, close-on-exec sockets.
int linux_tcp_listen(linux_tcp_options options, linux_endpoint local);
int linux_unix_listen(const char *_Nonnull path, int backlog);
// A non-blocking, close-on-exec socket without Nagle's delay, and where it comes from (all zero for a Unix socket).
int linux_accept(int listener, linux_endpoint *_Nonnull peer);
// A non-blocking socket whose connection is on its way: once it is writable, linux_socket_error tells how it went.
int linux_tcp_connect(int family, linux_endpoint remote);
int linux_unix_connect(const char *_Nonnull path);
// Sends one datagram to a Unix socket without waiting; a path that begins with '@' is in the abstract namespace. 0 or -errno.
int linux_unix_notify(const char *_Nonnull path, const void *_Nonnull bytes, size_t length);
// The error number that waits on a socket, 0 if there is none.
int linux_socket_error(int descriptor);
int linux_socket_family(int descriptor);
int linux_socket_is_listening(int descriptor);
// Makes a descriptor that came from elsewhere non-blocking and close-on-exec.
int linux_set_nonblocking(int descriptor);
// As recv and send without SIGPIPE; -errno on failure, never interrupted.
ssize_t linux_receive(int descriptor, void *_Nonnull bytes, size_t length);
ssize_t linux_send(int descriptor, const void *_Nonnull bytes, size_t length);

// --- Files

// A directory to open files below; it cannot be read itself.
int linux_open_directory(const char *_Nonnull path);
// Opens what a relative path names below a directory, for reading. Symbolic links are followed as long as they stay below
// it, -EXDEV if one leads out; where the kernel cannot check that (before 5.6) none is followed, -ELOOP.
int linux_open_beneath(int directory, const char *_Nonnull path);
// What the former does where the kernel cannot check: one name after the other, without any link.
int linux_open_beneath_by_steps(int directory, const char *_Nonnull path);

// --- Signals

// Sends the number of each `signal` that arrives, as one byte, to `descriptor`. -EBUSY if the signal is taken already.
int linux_signal_capture(int signal, int descriptor);
// Gives the signal its former action back.
void linux_signal_release(int signal);

/// Unmaps the code and constants of the program and its libraries, which come back from the page cache, page by page, when
/// they are needed next.
void linux_release_code(void);

/// A pointer that each thread keeps for itself; null at first.
void *_Nullable linux_thread_slot(void);
void linux_set_thread_slot(void *_Nullable pointer);
