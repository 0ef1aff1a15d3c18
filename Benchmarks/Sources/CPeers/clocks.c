#define _GNU_SOURCE
#include "CPeers.h"
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static int64_t read_clock(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return -1;
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int64_t thread_cpu_nanoseconds(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
int64_t monotonic_nanoseconds(void) { return read_clock(CLOCK_MONOTONIC); }

int64_t process_cpu_nanoseconds(int pid) {
  clockid_t clock;
  return clock_getcpuclockid(pid, &clock) == 0 ? read_clock(clock) : -1;
}

int64_t children_cpu_nanoseconds(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0) return -1;
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

int process_memory(int pid, int64_t *anonymous, int64_t *resident) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  *anonymous = *resident = 0;
  while (fgets(line, sizeof line, file)) {
    long long kilobytes;
    if (sscanf(line, "VmRSS: %lld", &kilobytes) == 1) *resident = kilobytes * 1024;
    if (sscanf(line, "RssAnon: %lld", &kilobytes) == 1) *anonymous = kilobytes * 1024;
  }
  fclose(file);
  return 0;
}

int unpin(void) {
  cpu_set_t set;
  memset(&set, 0xff, sizeof set);
  return sched_setaffinity(0, sizeof set, &set);
}

int pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set);
}

static int bind_all_threads(const cpu_set_t *set) {
  DIR *threads = opendir("/proc/self/task");
  if (!threads) return -1;
  for (struct dirent *entry; (entry = readdir(threads));) {
    int thread = atoi(entry->d_name);
    if (thread > 0) sched_setaffinity(thread, sizeof *set, set);
  }
  closedir(threads);
  return 0;
}

int pin_all_threads_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return bind_all_threads(&set);
}

int unpin_all_threads(void) {
  cpu_set_t set;
  memset(&set, 0xff, sizeof set);
  return bind_all_threads(&set);
}
