// SPDX-License-Identifier: MIT
#include <leat/sys/processors.hpp>
#include <leat_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace sys = leat::sys;

/// A tree as /sys/fs/cgroup is, in a temporary folder.
class Groups {
 public:
  Groups() {
    std::string pattern = (std::filesystem::temp_directory_path() / "leat-cgroup-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;
  ~Groups() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  unsigned quota(std::string groups) const {
    return sys::processQuota(groups.data(), root_.c_str());
  }
  /// For a process whose groups are told by a file of this tree.
  unsigned usable() const {
    return sys::usableProcessors((root_ + "/groups").c_str(), root_.c_str());
  }

 private:
  std::string root_;
};

}  // namespace

TEST_CASE("without control groups there is no quota") {
  const Groups groups;
  CHECK(groups.quota("") == 0);
  CHECK(groups.quota("0::/\n") == 0);
  CHECK(groups.quota("nonsense\n:\n::\n") == 0);
}

TEST_CASE("the quota of version 2 is the least of the group and those above, rounded up") {
  const Groups groups;
  groups.put("a/b/cpu.max", "max 100000");
  CHECK(groups.quota("0::/a/b\n") == 0);
  groups.put("a/b/cpu.max", "250000 100000");
  CHECK(groups.quota("0::/a/b\n") == 3);
  groups.put("a/cpu.max", "50000 100000");
  CHECK(groups.quota("0::/a/b\n") == 1);
  CHECK(groups.quota("0::/other\n") == 0);
  groups.put("cpu.max", "400000 100000");
  CHECK(groups.quota("0::/other\n") == 4);
}

TEST_CASE("the quota of version 1 is that of the controller cpu") {
  const Groups groups;
  groups.put("cpu,cpuacct/x/cpu.cfs_quota_us", "200000");
  groups.put("cpu,cpuacct/x/cpu.cfs_period_us", "100000");
  groups.put("cpuset/x/cpu.cfs_quota_us", "100000");
  groups.put("cpuset/x/cpu.cfs_period_us", "100000");
  CHECK(groups.quota("3:cpuset:/x\n4:cpu,cpuacct:/x\n0::/\n") == 2);
  groups.put("cpu,cpuacct/x/cpu.cfs_quota_us", "-1");
  CHECK(groups.quota("4:cpu,cpuacct:/x\n") == 0);
}

TEST_CASE("usable processors are those of the affinity, at least one") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  const unsigned all = sys::usableProcessors();
  CHECK(all >= 1);
  CHECK(all <= static_cast<unsigned>(CPU_COUNT(&before)));
  sys::pinThread(0);
  CHECK(sys::usableProcessors() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(sys::usableProcessors() == all);
}

TEST_CASE("usable processors are the fewer of the affinity and the quota") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  const auto all = static_cast<unsigned>(CPU_COUNT(&before));
  const Groups groups;
  CHECK(groups.usable() == all);
  groups.put("groups", "0::/a");
  CHECK(groups.usable() == all);
  groups.put("a/cpu.max", "100000 100000");
  CHECK(groups.usable() == 1);
  // Half a processor more than there are.
  groups.put("a/cpu.max", std::to_string(all * 100000 + 50000) + " 100000");
  CHECK(groups.usable() == all);
  groups.put("a/cpu.max", "200000 100000");
  CHECK(groups.usable() == (all < 2 ? 1 : 2));
  sys::pinThread(0);
  CHECK(groups.usable() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}
