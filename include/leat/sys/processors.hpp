// SPDX-License-Identifier: MIT
// How many processors this process may use: its affinity, and the quota of its control groups.
#pragma once

#include <leat/sys/calls.hpp>

#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leat::inline LEAT_ABI::sys {

/// That of this process. `groups` is as /proc/self/cgroup: lines "0::/path" for version 2, else
/// "4:cpu,cpuacct:/path".
LEAT_INLINE unsigned processQuota(char* groups, const char* root) noexcept;
/// Those of the calling thread's affinity, or as many as the quota of the process allows where these are fewer. At
/// least 1.
LEAT_INLINE unsigned usableProcessors(const char* groupsFile = "/proc/self/cgroup",
                                      const char* root = "/sys/fs/cgroup") noexcept;
/// The calling thread stays on one of the processors that it may use, counted round.
LEAT_INLINE void pinThread(unsigned index) noexcept;

#if LEAT_BODIES
/// The first `size - 1` bytes of a small file, with a zero behind them. False when it cannot be read.
LEAT_INLINE bool readSmallFile(const char* path, char* text, size_t size) noexcept {
  const int fd = sys::open(path, O_RDONLY);
  if (fd < 0) return false;
  size_t filled = 0;
  while (filled + 1 < size) {
    const ssize_t count = sys::read(fd, text + filled, size - 1 - filled);
    if (count <= 0) break;
    filled += static_cast<size_t>(count);
  }
  text[filled] = '\0';
  sys::close(fd);
  return filled > 0;
}

/// Processors that a control group and those above it allow, rounded up; 0 when they set no limit.
/// `root` is where they are mounted. `v2`: `cpu.max`; else `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
LEAT_INLINE unsigned groupQuota(const char* root, const char* group, bool v2) noexcept {
  char path[512];
  char text[64];
  unsigned least = 0;
  const auto read = [&](const char* file) { return readSmallFile(file, text, sizeof text); };
  size_t length = ::strlen(group);
  for (;;) {
    const int shown = static_cast<int>(length);
    long long quota = -1;
    long long period = 0;
    if (v2) {
      std::snprintf(path, sizeof path, "%s%.*s/cpu.max", root, shown, group);
      if (read(path)) std::sscanf(text, "%lld %lld", &quota, &period);
    } else {
      std::snprintf(path, sizeof path, "%s%.*s/cpu.cfs_quota_us", root, shown, group);
      if (read(path)) quota = ::atoll(text);
      std::snprintf(path, sizeof path, "%s%.*s/cpu.cfs_period_us", root, shown, group);
      if (quota > 0 && read(path)) period = ::atoll(text);
    }
    if (quota > 0 && period > 0) {
      const auto allowed = static_cast<unsigned>((quota + period - 1) / period);
      if (least == 0 || allowed < least) least = allowed;
    }
    if (length == 0) return least;
    do --length;
    while (length > 0 && group[length] != '/');
  }
}

LEAT_INLINE unsigned processQuota(char* groups, const char* root) noexcept {
  unsigned least = 0;
  char* rest = nullptr;
  for (char* line = ::strtok_r(groups, "\n", &rest); line != nullptr;
       line = ::strtok_r(nullptr, "\n", &rest)) {
    char* const names = ::strchr(line, ':');
    char* const group = names == nullptr ? nullptr : ::strchr(names + 1, ':');
    if (group == nullptr) continue;
    *group = '\0';
    const bool v2 = names[1] == '\0';
    char mount[256];
    std::snprintf(mount, sizeof mount, "%s%s%s", root, v2 ? "" : "/", names + 1);
    // Among several controllers "cpu" stands as a word of its own.
    bool holdsCpu = v2;
    for (const char* name = names + 1; !holdsCpu && name != nullptr; name = ::strchr(name, ',')) {
      if (*name == ',') ++name;
      holdsCpu = ::strncmp(name, "cpu", 3) == 0 && (name[3] == ',' || name[3] == '\0');
    }
    if (!holdsCpu) continue;
    unsigned allowed = groupQuota(mount, group + 1, v2);
    if (allowed == 0 && !v2) {
      // Some list the controllers in another order than the mount has them; this name leads there.
      std::snprintf(mount, sizeof mount, "%s/cpu", root);
      allowed = groupQuota(mount, group + 1, false);
    }
    if (allowed > 0 && (least == 0 || allowed < least)) least = allowed;
  }
  return least;
}

LEAT_INLINE unsigned usableProcessors(const char* groupsFile, const char* root) noexcept {
  cpu_set_t set;
  unsigned count = 0;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) count = static_cast<unsigned>(CPU_COUNT(&set));
  // More than 1024 processors, which the plain set has no room for.
  if (count == 0) {
    const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
    count = online < 1 ? 1 : static_cast<unsigned>(online);
  }
  char groups[4096];
  const unsigned quota =
      readSmallFile(groupsFile, groups, sizeof groups) ? processQuota(groups, root) : 0;
  return quota > 0 && quota < count ? quota : count;
}

LEAT_INLINE void pinThread(unsigned index) noexcept {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const int count = CPU_COUNT(&allowed);
  if (count == 0) return;
  unsigned left = index % static_cast<unsigned>(count);
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || left-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
    return;
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
