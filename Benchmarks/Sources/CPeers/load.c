#define _GNU_SOURCE
#include "CPeers.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// A message under construction.
struct message {
  char bytes[2048];
  size_t count;
};

static void add(struct message *message, const void *bytes, size_t count) {
  memcpy(message->bytes + message->count, bytes, count);
  message->count += count;
}

static void add_text(struct message *message, const char *text) { add(message, text, strlen(text)); }

static void add_string(struct message *message, const char *key, const void *bytes, size_t count) {
  char prefix[64];
  add(message, prefix, (size_t)snprintf(prefix, sizeof prefix, "%s%zu:", key, count));
  add(message, bytes, count);
}

static int loopback_socket(uint16_t port, uint16_t peer) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int size = 4 << 20;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  if (peer) {
    address.sin_port = htons(peer);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  }
  return descriptor;
}

static const char own_id[] = "benchmark-generator!";

static void write_query(struct message *m, enum query_kind kind, const uint8_t *target, uint32_t transaction) {
  static const char *names[] = {"4:ping", "9:find_node", "3:get"};
  m->count = 0;
  add_text(m, "d1:ad");
  add_string(m, "2:id", own_id, 20);
  if (kind != query_ping) add_string(m, "6:target", target, 20);
  add_text(m, "e1:q");
  add_text(m, names[kind]);
  // Read-only: the node need not consider the generator as a neighbour.
  add_text(m, "2:roi1e");
  add_string(m, "1:t", &transaction, 4);
  add_text(m, "1:y1:qe");
}

// The bytes of the string after `key` (written with its length), or null.
static const uint8_t *find_string(const uint8_t *bytes, size_t count, const char *key, size_t *found) {
  const uint8_t *at = memmem(bytes, count, key, strlen(key));
  if (!at) return NULL;
  char *end;
  unsigned long length = strtoul((const char *)at + strlen(key), &end, 10);
  if (*end != ':' || length > count) return NULL;
  *found = length;
  return (const uint8_t *)end + 1;
}

// Looks again and again for up to 2 s: were this thread to sleep, the node would have to pay for waking it.
static int wait_for_answer(int descriptor) {
  uint8_t byte;
  int64_t start = monotonic_nanoseconds();
  while (recv(descriptor, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0) {
    if (monotonic_nanoseconds() - start > 2000000000) return 0;
  }
  return 1;
}

int nodes_in_answer(uint16_t port) {
  int descriptor = loopback_socket(0, port);
  struct message query;
  uint8_t answer[2049], target[20] = {0};
  write_query(&query, query_find_node, target, 1);
  send(descriptor, query.bytes, query.count, 0);
  struct pollfd poller = {.fd = descriptor, .events = POLLIN};
  int nodes = -1;
  if (poll(&poller, 1, 500) == 1) {
    ssize_t received = recv(descriptor, answer, 2048, 0);
    size_t count = 0;
    if (received > 0) {
      answer[received] = 0;
      nodes = find_string(answer, (size_t)received, "5:nodes", &count) ? (int)count : 0;
    }
  }
  close(descriptor);
  return nodes;
}

struct load_result load_queries(
    uint16_t port, int pid, enum query_kind kind, const uint8_t *target, int window, int64_t nanoseconds) {
  int descriptor = loopback_socket(0, port);
  struct load_result result = {0};
  struct message query;
  uint8_t answer[2048], random[20];
  uint32_t sent = 0;
  int in_flight = 0;
  uint64_t state = 0x9e3779b97f4a7c15;
  int64_t cpu = process_cpu_nanoseconds(pid), start = monotonic_nanoseconds();
  while (monotonic_nanoseconds() - start < nanoseconds) {
    while (in_flight < window) {
      for (int index = 0; index < 20; index++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        random[index] = (uint8_t)state;
      }
      write_query(&query, kind, target ? target : random, ++sent);
      if (send(descriptor, query.bytes, query.count, 0) < 0) break;
      in_flight++;
    }
    if (!wait_for_answer(descriptor)) in_flight = 0;  // Lost: start the window again.
    ssize_t received;
    while ((received = recv(descriptor, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
      result.replies++;
      result.reply_bytes += received;
      result.errors += memmem(answer, (size_t)received, "1:y1:e", 6) != NULL;
      if (in_flight > 0) in_flight--;
    }
  }
  result.nanoseconds = monotonic_nanoseconds() - start;
  result.node_cpu = process_cpu_nanoseconds(pid) - cpu;
  close(descriptor);
  return result;
}

// One write token.
struct token {
  uint8_t bytes[32];
  uint8_t count;
};

static void write_put(
    struct message *m, uint32_t index, const uint8_t *key, const uint8_t *signature, const uint8_t *target,
    const struct token *token, const uint8_t *value, size_t value_count) {
  m->count = 0;
  add_text(m, "d1:ad");
  add_string(m, "2:id", own_id, 20);
  add_string(m, "1:k", key, 32);
  add_text(m, "3:seqi1e");
  add_string(m, "3:sig", signature, 64);
  add_string(m, "6:target", target, 20);
  add_string(m, "5:token", token->bytes, token->count);
  add_text(m, "1:v");
  add(m, value, value_count);
  add_text(m, "e1:q3:put2:roi1e");
  add_string(m, "1:t", &index, 4);
  add_text(m, "1:y1:qe");
}

struct load_result load_puts(
    uint16_t port, int pid, int count, const uint8_t *keys, const uint8_t *signatures, const uint8_t *targets,
    const uint8_t *value, size_t value_count, int window) {
  int descriptor = loopback_socket(0, port);
  struct load_result result = {0};
  struct token *tokens = calloc((size_t)count, sizeof *tokens);
  struct message query;
  uint8_t answer[2049];
  int64_t cpu = 0, start = 0;
  for (int phase = 0; phase < 2; phase++) {
    int next = 0, in_flight = 0, silent = 0;
    if (phase == 1) {
      cpu = process_cpu_nanoseconds(pid);
      start = monotonic_nanoseconds();
    }
    while ((next < count || in_flight > 0) && silent < 5) {
      while (in_flight < window && next < count) {
        if (phase == 0) {
          write_query(&query, query_get, targets + 20 * next, (uint32_t)next);
        } else {
          write_put(
              &query, (uint32_t)next, keys + 32 * next, signatures + 64 * next, targets + 20 * next, tokens + next, value,
              value_count);
        }
        if (send(descriptor, query.bytes, query.count, 0) < 0) break;
        next++, in_flight++;
      }
      if (!wait_for_answer(descriptor)) in_flight = 0, silent++;
      ssize_t received;
      while ((received = recv(descriptor, answer, sizeof answer - 1, MSG_DONTWAIT)) > 0) {
        answer[received] = 0;
        if (in_flight > 0) in_flight--;
        silent = 0;
        if (phase == 1) {
          result.replies++;
          result.reply_bytes += received;
          result.errors += memmem(answer, (size_t)received, "1:y1:e", 6) != NULL;
          continue;
        }
        size_t transaction_count = 0, token_count = 0;
        const uint8_t *transaction = find_string(answer, (size_t)received, "1:t", &transaction_count);
        const uint8_t *token = find_string(answer, (size_t)received, "5:token", &token_count);
        uint32_t index;
        if (!transaction || transaction_count != 4 || !token || token_count > sizeof tokens->bytes) continue;
        memcpy(&index, transaction, 4);
        if (index >= (uint32_t)count) continue;
        memcpy(tokens[index].bytes, token, token_count);
        tokens[index].count = (uint8_t)token_count;
      }
    }
  }
  result.nanoseconds = monotonic_nanoseconds() - start;
  result.node_cpu = process_cpu_nanoseconds(pid) - cpu;
  free(tokens);
  close(descriptor);
  return result;
}

// Neighbours.

struct responders {
  int poller;
  int count;
  int descriptors[64];
};

static void *respond(void *argument) {
  struct responders *responders = argument;
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(responders->poller, events, 64, -1);
    for (int index = 0; index < ready; index++) {
      int which = (int)events[index].data.u32;
      uint8_t query[2049];
      struct sockaddr_in from;
      socklen_t size = sizeof from;
      ssize_t received = recvfrom(
          responders->descriptors[which], query, 2048, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
      if (received <= 0) continue;
      query[received] = 0;
      size_t count = 0;
      // The transaction id stands behind the arguments.
      const uint8_t *arguments_end = memmem(query, (size_t)received, "1:q", 3);
      if (!arguments_end || !memmem(query, (size_t)received, "1:y1:q", 6)) continue;
      const uint8_t *transaction =
          find_string(arguments_end, (size_t)(query + received - arguments_end), "1:t", &count);
      if (!transaction || count > 16) continue;
      char id[21];
      snprintf(id, sizeof id, "%02x neighbour of it!", which * 256 / responders->count);
      id[0] = (char)(which * 256 / responders->count);
      struct message answer = {.count = 0};
      add_text(&answer, "d1:rd");
      add_string(&answer, "2:id", id, 20);
      add_text(&answer, "5:nodes0:e");
      add_string(&answer, "1:t", transaction, count);
      add_text(&answer, "1:y1:re");
      sendto(responders->descriptors[which], answer.bytes, answer.count, 0, (struct sockaddr *)&from, size);
    }
  }
  return NULL;
}

int responders_start(int count, uint16_t *ports) {
  struct responders *responders = calloc(1, sizeof *responders);
  responders->poller = epoll_create1(EPOLL_CLOEXEC);
  responders->count = count > 64 ? 64 : count;
  for (int index = 0; index < responders->count; index++) {
    int descriptor = loopback_socket(0, 0);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (descriptor < 0 || getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) return -1;
    ports[index] = ntohs(address.sin_port);
    responders->descriptors[index] = descriptor;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    epoll_ctl(responders->poller, EPOLL_CTL_ADD, descriptor, &event);
  }
  pthread_t thread;
  return pthread_create(&thread, NULL, respond, responders);
}
