// SPDX-License-Identifier: MIT
// sync: makes a folder like another. Files that are newer there or of another size are copied, several at
// once; with --delete, what is only here is removed. Links are left alone.
// Without arguments it makes a small tree in a temporary folder, and copies that again and again.
#include <leat.hpp>

#include <cstdio>
#include <string>
#include <unordered_set>
#include <vector>

using namespace leat;

struct File {
  std::string name;
  fs::Stats stats;
};
struct Plan {
  std::string source;
  std::string target;
  std::vector<File> files;
  std::vector<std::string> strangers;
  long long bytes = 0;
  std::size_t filesDone = 0;
  long long bytesDone = 0;
};

// [compare]
/// Compares what both have in a folder; the folders in it are compared at the same time. The scope waits for all.
Task<> compare(TaskScope& scope, Plan& plan, std::string folder) {
  const auto there = co_await fs::readdir(plan.source + folder, fs::withFileTypes);
  co_await fs::mkdir(plan.target + folder, {.recursive = true});
  std::unordered_set<std::string> known;
  for (const fs::Dirent& entry : there) {
    const std::string name = folder + "/" + entry.name;
    known.insert(entry.name);
    if (entry.isDirectory()) (void)scope.spawn(compare(scope, plan, name));
    if (!entry.isFile()) continue;  // links, pipes and devices are left alone
    const auto from = co_await fs::stat(plan.source + name);
    const auto to = co_await asResult(fs::stat(plan.target + name));
    if (to && to->size == from.size && to->mtimeNs >= from.mtimeNs) continue;
    plan.files.push_back(File{name, from});
    plan.bytes += from.size;
  }
  const auto here = co_await fs::readdir(plan.target + folder);
  for (const std::string& name : here)
    if (!known.contains(name)) plan.strangers.push_back(folder + "/" + name);
}
// [/compare]

/// To another name first, so that a file is never half there. The permit is given back at the end.
Task<> copy(Plan& plan, const File& file, Semaphore::Permit) {
  const std::string target = plan.target + file.name;
  const std::string part = target + ".sync-part";
  const auto time = fs::FileTime::fromNs(file.stats.mtimeNs);
  co_await fs::copyFile(plan.source + file.name, part);
  co_await fs::utimes(part, time, time);
  co_await fs::rename(part, target);
  plan.bytesDone += file.stats.size;
  std::printf("%zu of %zu files, %lld of %lld bytes\n", ++plan.filesDone, plan.files.size(),
              plan.bytesDone, plan.bytes);
}

/// Whether one folder is the other, or in it.
bool isWithin(const std::string& inner, const std::string& outer) {
  return outer == "/" || (inner + "/").starts_with(outer + "/");
}

Task<> sync(std::string source, std::string target, bool deletes) {
  Plan plan;
  plan.source = co_await fs::realpath(source);
  co_await fs::mkdir(target, {.recursive = true});
  plan.target = co_await fs::realpath(target);
  if (isWithin(plan.source, plan.target) || isWithin(plan.target, plan.source))
    throw Error("one folder is within the other");
  auto comparing = [&](TaskScope& scope) { return compare(scope, plan, ""); };
  co_await scoped(comparing);
  // [limit]
  Semaphore limit(16);
  auto copying = [&](TaskScope& scope) -> Task<> {
    for (const File& file : plan.files) {
      auto permit = co_await limit.acquire();
      (void)scope.spawn(copy(plan, file, std::move(permit)));
    }
  };
  co_await scoped(copying);
  // [/limit]
  if (!deletes) plan.strangers.clear();
  for (const std::string& name : plan.strangers)
    co_await fs::rm(plan.target + name, {.recursive = true});
  std::printf("%zu copied, %zu removed\n", plan.filesDone, plan.strangers.size());
}

Task<> syncOwn() {
  const std::string root = co_await fs::mkdtemp("/tmp/leat-sync-");
  co_await fs::mkdir(root + "/from/deep/er", {.recursive = true});
  for (const char* name : {"/one", "/two", "/deep/three", "/deep/er/four"})
    co_await fs::writeFile(root + "/from" + name, std::string(1000, '.'));
  co_await sync(root + "/from", root + "/to", false);
  co_await sync(root + "/from", root + "/to", false);
  co_await fs::appendFile(root + "/from/two", "more");
  co_await fs::writeFile(root + "/to/deep/stranger", "");
  co_await sync(root + "/from", root + "/to", true);
  co_await fs::rm(root, {.recursive = true});
}

Task<int> program(int count, char** given) {
  const bool deletes = count == 4 && std::string_view(given[3]) == "--delete";
  if (count != 1 && count != 3 && !deletes) {
    std::fprintf(stderr, "usage: sync FROM TO [--delete]\n");
    co_return 2;
  }
  auto work = count == 1 ? syncOwn() : sync(given[1], given[2], deletes);
  auto outcome = co_await asResult(std::move(work));
  if (!outcome) std::fprintf(stderr, "sync: %s\n", describe(outcome.error()).c_str());
  co_return outcome ? 0 : 1;
}

int main(int count, char** arguments) {
  return run([&] { return program(count, arguments); });
}
