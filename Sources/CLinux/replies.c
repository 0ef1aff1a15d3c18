#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

// Room for the address that a datagram was sent to, as the kernel tells it and wants to be told, and for the length of the
// parts that a message is to be cut into.
enum { control_size = 128 };

// Longer replies may not fit the smallest links of IPv6 (RFC 8200 §5), and a message is cut only into parts that need not be
// cut once more.
enum { longest_joined = 1232 };
// What a datagram can hold, whether it is cut or not, with room for its headers.
enum { longest_message = 65000 };
// Messages that are looked through for one that a reply can join.
enum { messages_looked_at = 16 };

struct linux_reply {
  int query;
  int message;
};

struct linux_message {
  int first_query; // where it goes is where that came from
  int count;       // replies in it
  uint16_t length; // of each of its replies
  linux_local local;
};

int linux_udp_report_local(int descriptor, int family) {
  int on = 1;
  int is_v6 = family == AF_INET6;
  return setsockopt(
             descriptor, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on) < 0
             ? -errno
             : 0;
}

int linux_socket_is_datagram(int descriptor) {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return -errno;
  return type == SOCK_DGRAM;
}

static int can_join(int descriptor) {
  int size = 0;
  socklen_t length = sizeof size;
  return getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

linux_reply_batch *linux_reply_batch_create(int descriptor, int capacity, int query_size, int reply_size) {
  linux_reply_batch *batch = calloc(1, sizeof *batch);
  if (!batch) return NULL;
  size_t count = (size_t)capacity;
  batch->capacity = capacity;
  batch->query_size = query_size;
  batch->reply_size = reply_size;
  batch->queries = calloc(count, (size_t)query_size);
  batch->replies = calloc(count, (size_t)reply_size);
  batch->joins_replies = can_join(descriptor);
  batch->added = calloc(count, sizeof *batch->added);
  batch->messages = calloc(count, sizeof *batch->messages);
  batch->incoming = calloc(count, sizeof *batch->incoming);
  batch->outgoing = calloc(count, sizeof *batch->outgoing);
  batch->vectors = calloc(2 * count, sizeof *batch->vectors);
  batch->addresses = calloc(count, sizeof *batch->addresses);
  batch->controls = calloc(count, control_size);
  if (!batch->queries || !batch->replies || !batch->incoming || !batch->outgoing || !batch->vectors ||
      !batch->addresses || !batch->controls || !batch->added || !batch->messages) {
    linux_reply_batch_destroy(batch);
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    batch->vectors[i].iov_base = batch->queries + i * (size_t)query_size;
    batch->vectors[i].iov_len = (size_t)query_size;
    struct msghdr *header = &batch->incoming[i].msg_hdr;
    header->msg_iov = batch->vectors + i;
    header->msg_iovlen = 1;
    header->msg_name = batch->addresses + i;
    header->msg_control = batch->controls + i * control_size;
  }
  return batch;
}

void linux_reply_batch_destroy(linux_reply_batch *batch) {
  free(batch->queries);
  free(batch->replies);
  free(batch->incoming);
  free(batch->outgoing);
  free(batch->vectors);
  free(batch->addresses);
  free(batch->controls);
  free(batch->added);
  free(batch->messages);
  free(batch);
}

int linux_reply_batch_fill(linux_reply_batch *batch, int descriptor) {
  for (int i = 0; i < batch->capacity; i++) {
    struct msghdr *header = &batch->incoming[i].msg_hdr;
    header->msg_namelen = sizeof *batch->addresses;
    header->msg_controllen = control_size;
    header->msg_flags = 0;
  }
  int count = recvmmsg(descriptor, batch->incoming, (unsigned)batch->capacity, MSG_DONTWAIT, NULL);
  return count < 0 ? -errno : count;
}

uint32_t linux_reply_batch_length(const linux_reply_batch *batch, int index) { return batch->incoming[index].msg_len; }

int linux_reply_batch_is_truncated(const linux_reply_batch *batch, int index) {
  return (batch->incoming[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

linux_endpoint linux_reply_batch_sender(const linux_reply_batch *batch, int index) {
  return linux_sockaddr_load(batch->addresses + index);
}

static int is_packet_information(const struct cmsghdr *item) {
  return (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) ||
         (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO);
}

linux_local linux_reply_batch_local(const linux_reply_batch *batch, int index) {
  linux_local local = {{0, 0, 0}, 0, 0};
  struct msghdr *header = &((linux_reply_batch *)batch)->incoming[index].msg_hdr;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
    if (!is_packet_information(item)) continue;
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    if (item->cmsg_level == IPPROTO_IP) {
      struct in_pktinfo information;
      memcpy(&information, CMSG_DATA(item), sizeof information);
      address.ss_family = AF_INET;
      // The address of this machine that the datagram reached; for a broadcast that is not the one in its header.
      ((struct sockaddr_in *)&address)->sin_addr = information.ipi_spec_dst;
      local.interface = (uint32_t)information.ipi_ifindex;
    } else {
      struct in6_pktinfo information;
      memcpy(&information, CMSG_DATA(item), sizeof information);
      address.ss_family = AF_INET6;
      ((struct sockaddr_in6 *)&address)->sin6_addr = information.ipi6_addr;
      local.interface = information.ipi6_ifindex;
    }
    local.address = linux_sockaddr_load(&address);
    local.is_known = 1;
  }
  return local;
}

// Writes the control message that makes a datagram leave from `local`; its length.
static size_t store_local(void *control, int family, linux_local local) {
  struct msghdr header = {.msg_control = control, .msg_controllen = control_size};
  memset(control, 0, control_size);
  struct cmsghdr *item = CMSG_FIRSTHDR(&header);
  struct sockaddr_storage address;
  linux_sockaddr_store(&address, family, local.address);
  if (family == AF_INET) {
    // No interface: the route decides, as it would without us.
    struct in_pktinfo information = {.ipi_spec_dst = ((struct sockaddr_in *)&address)->sin_addr};
    item->cmsg_level = IPPROTO_IP;
    item->cmsg_type = IP_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof information);
    memcpy(CMSG_DATA(item), &information, sizeof information);
    return CMSG_SPACE(sizeof information);
  }
  struct in6_pktinfo information = {.ipi6_addr = ((struct sockaddr_in6 *)&address)->sin6_addr};
  // A link-local address means something on its link only.
  if (local.address.high >> 54 == 0xfe80 >> 6) information.ipi6_ifindex = local.interface;
  item->cmsg_level = IPPROTO_IPV6;
  item->cmsg_type = IPV6_PKTINFO;
  item->cmsg_len = CMSG_LEN(sizeof information);
  memcpy(CMSG_DATA(item), &information, sizeof information);
  return CMSG_SPACE(sizeof information);
}

// Where a reply to query `index` can go along; -1: nowhere.
static int message_to_join(const linux_reply_batch *batch, int index, linux_local local, size_t length) {
  if (!batch->joins_replies || length > longest_joined) return -1;
  const struct sockaddr_storage *sender = batch->addresses + index;
  size_t size = batch->incoming[index].msg_hdr.msg_namelen;
  int last = batch->message_count - messages_looked_at;
  for (int i = batch->message_count - 1; i >= 0 && i >= last; i--) {
    const struct linux_message *message = batch->messages + i;
    if (message->length != length || message->local.is_known != local.is_known) continue;
    if ((size_t)(message->count + 1) * length > longest_message) continue;
    if (batch->incoming[message->first_query].msg_hdr.msg_namelen != size) continue;
    if (memcmp(batch->addresses + message->first_query, sender, size) != 0) continue;
    if (memcmp(&message->local.address, &local.address, sizeof local.address) != 0) continue;
    if (message->local.interface == local.interface) return i;
  }
  return -1;
}

void linux_reply_batch_add(linux_reply_batch *batch, int index, size_t length) {
  linux_local local = {{0, 0, 0}, 0, 0};
  if (batch->incoming[index].msg_hdr.msg_controllen > 0) local = linux_reply_batch_local(batch, index);
  int message = message_to_join(batch, index, local, length);
  if (message < 0) {
    message = batch->message_count++;
    batch->messages[message] =
        (struct linux_message){.first_query = index, .length = (uint16_t)length, .local = local};
  }
  batch->messages[message].count++;
  batch->added[batch->reply_count++] = (struct linux_reply){index, message};
}

// Writes the control message that makes the kernel cut a message; its length.
static size_t store_segment(void *control, uint16_t length) {
  struct msghdr header = {.msg_control = control, .msg_controllen = CMSG_SPACE(sizeof length)};
  struct cmsghdr *item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = IPPROTO_UDP;
  item->cmsg_type = UDP_SEGMENT;
  item->cmsg_len = CMSG_LEN(sizeof length);
  memcpy(CMSG_DATA(item), &length, sizeof length);
  return CMSG_SPACE(sizeof length);
}

void linux_reply_batch_seal(linux_reply_batch *batch, int family) {
  struct iovec *vectors = batch->vectors + batch->capacity;
  int start = 0;
  for (int i = 0; i < batch->message_count; i++) {
    struct linux_message *message = batch->messages + i;
    struct msghdr *incoming = &batch->incoming[message->first_query].msg_hdr;
    // What the kernel told is not needed any more.
    uint8_t *control = incoming->msg_control;
    size_t used = message->local.is_known ? store_local(control, family, message->local) : 0;
    if (message->count > 1) used += store_segment(control + used, message->length);
    batch->outgoing[i].msg_hdr = (struct msghdr){
        .msg_name = incoming->msg_name,
        .msg_namelen = incoming->msg_namelen,
        .msg_iov = vectors + start,
        .msg_control = used > 0 ? control : NULL,
        .msg_controllen = used,
    };
    start += message->count;
  }
  for (int i = 0; i < batch->reply_count; i++) {
    const struct linux_reply *reply = batch->added + i;
    struct msghdr *outgoing = &batch->outgoing[reply->message].msg_hdr;
    outgoing->msg_iov[outgoing->msg_iovlen++] = (struct iovec){
        batch->replies + (size_t)reply->query * (size_t)batch->reply_size, batch->messages[reply->message].length};
  }
  batch->reply_count = 0;
}

int linux_reply_batch_replies(const linux_reply_batch *batch, int message) { return batch->messages[message].count; }

int linux_reply_batch_send(linux_reply_batch *batch, int descriptor, int first) {
  unsigned count = (unsigned)(batch->message_count - first);
  int sent = sendmmsg(descriptor, batch->outgoing + first, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

int linux_reply_batch_send_singly(linux_reply_batch *batch, int descriptor, int message) {
  struct msghdr header = batch->outgoing[message].msg_hdr;
  int sent = 0;
  // The control message that asks for the cut is the last one.
  header.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
  if (header.msg_controllen == 0) header.msg_control = NULL;
  header.msg_iovlen = 1;
  for (size_t i = 0; i < batch->outgoing[message].msg_hdr.msg_iovlen; i++) {
    if (sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) sent++;
    header.msg_iov++;
  }
  return sent;
}

int linux_udp_reply(
    int descriptor, int family, const void *bytes, size_t length, linux_endpoint destination, linux_local local) {
  struct sockaddr_storage address;
  union {
    char bytes[control_size];
    struct cmsghdr alignment;
  } control;
  struct iovec vector = {(void *)bytes, length};
  struct msghdr header = {.msg_name = &address, .msg_iov = &vector, .msg_iovlen = 1};
  header.msg_namelen = linux_sockaddr_store(&address, family, destination);
  if (family == AF_INET6 && destination.high >> 54 == 0xfe80 >> 6) {
    ((struct sockaddr_in6 *)&address)->sin6_scope_id = local.interface;
  }
  if (local.is_known) {
    header.msg_control = &control;
    header.msg_controllen = store_local(&control, family, local);
  }
  return sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
