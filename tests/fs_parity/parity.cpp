// SPDX-License-Identifier: MIT
// The side of leat: the same operations as parity.js, under the same names, with the same output.
#include <leat/core/combinators.hpp>
#include <leat/fs.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/process/stdio.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>

namespace fs = leat::fs;
using leat::Buffer;
using leat::Task;
using Args = std::vector<std::string>;
using Operation = Task<std::string> (*)(const Args&);

namespace {

std::map<std::string, fs::FileHandle> handles;

std::string decoded(const std::string& token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '%';
    text += escape ? static_cast<char>(std::stoi(token.substr(i + 1, 2), nullptr, 16)) : token[i];
    if (escape) i += 2;
  }
  return text;
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char escape[4];
    std::snprintf(escape, sizeof escape, "%%%02X", byte);
    const bool plain =
        std::isalnum(byte) != 0 || std::string_view("-_.!~*'()").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : std::string(escape);
  }
  return out;
}

std::string cwdHidden(std::string text) {
  const std::string cwd = std::filesystem::current_path().string();
  for (std::size_t at; (at = text.find(cwd)) != std::string::npos;)
    text.replace(at, cwd.size(), "CWD");
  return text;
}

long long number(const std::string& text) { return std::stoll(text); }
unsigned modeOf(const std::string& text) { return static_cast<unsigned>(number(text)); }
bool has(const std::string& options, const std::string& name) {
  return ("," + options + ",").find("," + name + ",") != std::string::npos;
}

std::string kind(const fs::FileKind& k) {
  return k.isFile()              ? "isFile"
         : k.isDirectory()       ? "isDirectory"
         : k.isSymbolicLink()    ? "isSymbolicLink"
         : k.isFIFO()            ? "isFIFO"
         : k.isSocket()          ? "isSocket"
         : k.isBlockDevice()     ? "isBlockDevice"
         : k.isCharacterDevice() ? "isCharacterDevice"
                                 : "";
}

std::string about(const fs::Stats& s) {
  char mode[16], time[64] = "-";
  std::snprintf(mode, sizeof mode, "%o", s.mode & 07777u);
  if (s.mtimeMs < 1.5e12) std::snprintf(time, sizeof time, "%.15g", s.mtimeMs);
  const bool file = s.isFile();
  return kind(s) + " " + mode + " " + (file ? std::to_string(s.size) : "-") + " " +
         (file ? std::to_string(s.nlink) : "-") + " " + time;
}

fs::FileHandle handle(const std::string& name) {
  const auto found = handles.find(name);
  if (found == handles.end()) throw leat::Error("no such handle", "undefined");
  return found->second;
}

std::vector<Buffer> buffersOf(const std::string& sizes) {
  std::vector<Buffer> all;
  for (std::size_t at = 0; at <= sizes.size();) {
    const std::size_t end = std::min(sizes.find(',', at), sizes.size());
    all.push_back(Buffer::from(
        std::string(static_cast<std::size_t>(number(sizes.substr(at, end - at))), '.')));
    at = end + 1;
  }
  return all;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

fs::CpOptions cpOptions(const std::string& chosen) {
  fs::CpOptions options;
  options.recursive = has(chosen, "recursive");
  options.force = !has(chosen, "no-force");
  options.errorOnExist = has(chosen, "errorOnExist");
  options.dereference = has(chosen, "dereference");
  options.preserveTimestamps = has(chosen, "preserveTimestamps");
  options.verbatimSymlinks = has(chosen, "verbatimSymlinks");
  return options;
}

// Each in the form `co_return`s want: an operation of void gives "ok".
#define DO(expression)                     \
  [](const Args& a) -> Task<std::string> { \
    (void)a;                               \
    co_await expression;                   \
    co_return "ok";                        \
  }
#define GIVE(expression) [](const Args& a) -> Task<std::string> { auto r = co_await expression;
Task<std::string> openHandle(const Args& a) {
  if (handles.contains(a[0])) co_await handle(a[0]).close();
  handles.erase(a[0]);
  auto opened = co_await fs::open(a[1], a[2], modeOf(a[3]));
  handles.emplace(a[0], opened);
  co_return "ok";
}

Task<std::string> openText(const Args& a) {
  if (handles.contains(a[0])) co_await handle(a[0]).close();
  handles.erase(a[0]);
  auto opened = co_await fs::open(a[1], a[2], a[3]);
  handles.emplace(a[0], opened);
  co_return "ok";
}

Task<std::string> closeOften(const Args& a) {
  const fs::FileHandle h = handle(a[0]);
  // Shared, as what is told late outlives a failure.
  const auto told = std::make_shared<std::string>();
  leat::Promise<fs::Stats> known = h.stat();
  leat::Promise<> closes[] = {h.close(), h.close()};
  const auto onStat = [told](const fs::Stats&) { *told += "stat "; };
  const auto onClosed = [told] { *told += "closed "; };
  auto noted = known.then(onStat);
  auto first = closes[0].then(onClosed);
  auto second = closes[1].then(onClosed);
  co_await leat::all(noted, first, second);
  co_await h.close();
  co_return *told;
}

Task<std::string> readHandle(const Args& a) {
  fs::TransferOptions options;
  options.offset = number(a[2]);
  options.length = number(a[3]);
  options.position = number(a[4]);
  auto r = co_await handle(a[0]).read(buffersOf(a[1])[0], options);
  co_return std::to_string(r.bytesRead) + " " + r.buffer.toString();
}

Task<std::string> writeHandle(const Args& a) {
  fs::TransferOptions options;
  options.offset = number(a[2]);
  options.length = number(a[3]);
  options.position = number(a[4]);
  auto r = co_await handle(a[0]).write(Buffer::from(a[1]), options);
  co_return std::to_string(r.bytesWritten);
}

Task<std::string> listTypes(const Args& a) {
  fs::ReaddirOptions options;
  options.recursive = has(a[1], "recursive");
  auto entries = co_await fs::readdir(a[0], fs::withFileTypes, options);
  std::vector<std::string> words;
  for (const fs::Dirent& e : entries) words.push_back(e.parentPath + "|" + e.name + "|" + kind(e));
  co_return joined(words);
}

Task<std::string> listNames(const Args& a) {
  fs::ReaddirOptions options;
  options.recursive = has(a[1], "recursive");
  auto names = co_await fs::readdir(a[0], options);
  co_return joined(names);
}

Task<std::string> listOneByOne(const Args& a) {
  auto dir = co_await fs::opendir(a[0]);
  std::vector<std::string> names;
  while (auto entry = co_await dir.next()) names.push_back(entry->name);
  std::sort(names.begin(), names.end());
  co_return joined(names);
}

Task<std::string> listDeep(const Args& a) {
  auto dir = co_await fs::opendir(a[0], {.recursive = true});
  std::vector<std::string> found;
  while (auto e = co_await dir.next())
    found.push_back(e->parentPath + "|" + e->name + "|" + kind(*e));
  std::sort(found.begin(), found.end());
  co_return joined(found);
}

Task<std::string> makeFolderText(const Args& a) {
  fs::MkdirOptions options;
  options.recursive = has(a[1], "recursive");
  options.mode = a[2];
  auto first = co_await fs::mkdir(a[0], options);
  co_return first ? *first : std::string("ok");
}

Task<std::string> makeFolder(const Args& a) {
  fs::MkdirOptions options;
  options.recursive = has(a[1], "recursive");
  options.mode = modeOf(a[2]);
  auto first = co_await fs::mkdir(a[0], options);
  co_return first ? *first : std::string("ok");
}

Task<std::string> removeAny(const Args& a) {
  fs::RmOptions options;
  options.recursive = has(a[1], "recursive");
  options.force = has(a[1], "force");
  co_await fs::rm(a[0], options);
  co_return "ok";
}

Task<std::string> copyFileOnly(const Args& a) {
  auto found = co_await leat::asResult(fs::stat(a[0]));
  if (found.ok() && found.value().isDirectory()) co_return "a folder";
  co_await fs::copyFile(a[0], a[1], static_cast<int>(number(a[2])));
  co_return "ok";
}

Task<std::string> copyTree(const Args& a) {
  auto copied = co_await leat::asResult(fs::cp(a[0], a[1], cpOptions(a[2])));
  if (copied.ok()) co_return "ok";
  fs::RmOptions all;
  all.recursive = true;
  all.force = true;
  (void)co_await leat::asResult(fs::rm(a[1], all));
  copied.value();
  co_return "";
}

Task<std::string> copyFiltered(const Args& a) {
  std::vector<std::string> asked;
  const auto wants = [&](const std::string& src, const std::string& dest) {
    asked.push_back(src + ">" + dest);
    if (a[4] == "throws" && src.ends_with(a[3]))
      throw leat::Error("the filter throws", "undefined");
    return !src.ends_with(a[3]);
  };
  const auto waits = [&](std::string src, std::string dest) -> Task<bool> {
    co_await leat::Promise<>::resolve();
    co_return wants(src, dest);
  };
  Task<> copying = a[4] == "async" ? fs::cp(a[0], a[1], waits, cpOptions(a[2]))
                                   : fs::cp(a[0], a[1], wants, cpOptions(a[2]));
  auto copied = co_await leat::asResult(std::move(copying));
  if (!copied.ok()) {
    (void)co_await leat::asResult(fs::rm(a[1], {.recursive = true, .force = true}));
    copied.value();
  }
  std::sort(asked.begin(), asked.end());
  co_return joined(asked);
}

Task<std::string> exhaust(const Args& a) {
  static std::vector<int> spare;
  for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) spare.push_back(fd);
  const std::string code = leat::sys::errorName(errno);
  for (long long i = 0; i < number(a[0]); ++i, spare.pop_back()) ::close(spare.back());
  co_return code;
}

/// What is told of changes, until `ends`. How often the same is told in a row depends on when it is
/// looked at.
Task<std::string> events(std::string path, void (*change)(const std::string&),
                         bool (*ends)(const std::string&)) {
  auto watcher = co_await fs::watch(path);
  change(path);
  std::string told, last;
  while (!ends(told)) {
    const auto next = co_await leat::withTimeout(30'000, watcher.next());
    const std::string event = std::string(next->eventType) + " " + next->filename;
    if (event != last) told += (told.empty() ? "" : ", ") + event;
    last = event;
  }
  co_return told;
}

void append(const std::string& path, const char* text) {
  std::ofstream(path, std::ios::app) << text;
}

Task<std::string> watchFolder(const Args& a) {
  const auto change = [](const std::string& path) {
    std::ofstream(path + "/a") << "text";
    append(path + "/a", "more");
    std::filesystem::rename(path + "/a", path + "/b");
    ::chmod((path + "/b").c_str(), 0600);
    std::filesystem::remove(path + "/b");
    std::filesystem::create_directory(path + "/c");
    std::filesystem::remove(path + "/c");
    std::ofstream(path + "/last");
  };
  return events(a[0], change,
                [](const std::string& told) { return told.ends_with("rename last"); });
}

Task<std::string> watchFile(const Args& a) {
  const auto change = [](const std::string& path) {
    append(path, "more");
    std::filesystem::rename(path, path + "-moved");
    append(path + "-moved", "end");
    std::filesystem::remove(path + "-moved");
  };
  const auto ends = [](const std::string& told) {
    return told.find("rename") != told.rfind("rename");
  };
  return events(a[0], change, ends);
}

/// What the work throws that was aborted before it began.
template <class Work>
Task<std::string> aborted(Work work) {
  try {
    co_await std::move(work);
  } catch (const leat::Error& e) {
    co_return std::string(e.name()) + " " + std::string(e.code()) + " " + std::string(e.message());
  }
  co_return "done";
}

Task<std::string> errorTexts(const Args&) {
  const std::set<int> unknownToNode = {ECHILD, EDOM, EDQUOT, EINPROGRESS, ENETRESET, ENOEXEC};
  std::string all;
  for (int number = 1; number < 1000; ++number) {
    const std::string name = leat::sys::errorName(number);
    if (name == "UNKNOWN" || unknownToNode.contains(number)) continue;
    all += (all.empty() ? "" : "\n") + std::to_string(number) + " " + name + " " +
           leat::sys::errorText(number);
  }
  co_return all;
}

Task<std::string> say(const Args& a) {
  static const auto standard = leat::process::stderr_();
  standard.on<"error">([](const std::exception_ptr&) {});  // told below
  auto said = co_await leat::asResult(standard.write(a[0]));
  try {
    said.value();
  } catch (const leat::Error& e) {
    co_return std::string(e.code());
  }
  co_return "ok";
}

Task<std::string> writeWhole(const Args& a) {
  fs::WriteFileOptions options;
  options.flag = a[2];
  options.mode = modeOf(a[3]);
  co_await fs::writeFile(a[0], a[1], options);
  co_return "ok";
}

Task<std::string> readWhole(const Args& a) {
  fs::ReadFileOptions options;
  options.flag = a[1];
  auto text = co_await fs::readFile(a[0], "utf8", options);
  co_return text;
}

// clang-format off
const std::map<std::string, Operation> operations = {
    {"open", openHandle}, {"hread", readHandle}, {"hwrite", writeHandle},
    {"openText", openText}, {"hcloses", closeOften},
    {"hchmodText", DO(handle(a[0]).chmod(a[1]))},
    {"readFileOf", GIVE(fs::readFile(handle(a[0]), "utf8")) co_return r; }},
    {"writeFileOf", DO(fs::writeFile(handle(a[0]), a[1]))},
    {"appendFileOf", DO(fs::appendFile(handle(a[0]), a[1]))},
    {"writeFileText", DO(fs::writeFile(a[0], a[1], {.mode = a[2]}))},
    {"writeFileIn", DO(fs::writeFile(a[0], a[1], a[2]))},
    {"appendFileIn", DO(fs::appendFile(a[0], a[1], a[2]))},
    {"readFileIn", GIVE(fs::readFile(a[0], a[1])) co_return r; }},
    {"chmodText", DO(fs::chmod(a[0], a[1]))},
    {"mkdirText", makeFolderText}, {"opendirDeep", listDeep}, {"cpFilter", copyFiltered},
    {"hclose", DO(handle(a[0]).close())},
    {"hreadv", GIVE(handle(a[0]).readv(buffersOf(a[1]), number(a[2])))
      co_return std::to_string(r.bytesRead) + " " + Buffer::concat(r.buffers).toString(); }},
    {"hwritev", GIVE(handle(a[0]).writev(buffersOf(a[1]), number(a[2])))
      co_return std::to_string(r.bytesWritten); }},
    {"hreadFile", GIVE(handle(a[0]).readFile("utf8")) co_return r; }},
    {"hwriteFile", DO(handle(a[0]).writeFile(a[1]))},
    {"hstat", GIVE(handle(a[0]).stat()) co_return about(r); }},
    {"htruncate", DO(handle(a[0]).truncate(number(a[1])))},
    {"hsync", DO(handle(a[0]).sync())}, {"hdatasync", DO(handle(a[0]).datasync())},
    {"hchmod", DO(handle(a[0]).chmod(modeOf(a[1])))},
    {"hchown", DO(handle(a[0]).chown(::getuid(), ::getgid()))},
    {"hutimes", DO(handle(a[0]).utimes(std::stod(a[1]), std::stod(a[2])))},
    {"readFile", readWhole}, {"writeFile", writeWhole},
    {"readProc", GIVE(fs::readFile(a[0], "utf8")) co_return r.empty() ? "false" : "true"; }},
    {"appendFile", DO(fs::appendFile(a[0], a[1]))},
    {"truncate", DO(fs::truncate(a[0], number(a[1])))},
    {"stat", GIVE(fs::stat(a[0])) co_return about(r); }},
    {"lstat", GIVE(fs::lstat(a[0])) co_return about(r); }},
    {"statfs", GIVE(fs::statfs(a[0])) co_return std::to_string(r.bsize); }},
    {"access", DO(fs::access(a[0], static_cast<int>(number(a[1]))))},
    {"chmod", DO(fs::chmod(a[0], modeOf(a[1])))},
    {"chown", DO(fs::chown(a[0], ::getuid(), ::getgid()))},
    {"lchown", DO(fs::lchown(a[0], ::getuid(), ::getgid()))},
    {"utimes", DO(fs::utimes(a[0], std::stod(a[1]), std::stod(a[2])))},
    {"lutimes", DO(fs::lutimes(a[0], std::stod(a[1]), std::stod(a[2])))},
    {"rename", DO(fs::rename(a[0], a[1]))}, {"link", DO(fs::link(a[0], a[1]))},
    {"symlink", DO(fs::symlink(a[0], a[1]))}, {"unlink", DO(fs::unlink(a[0]))},
    {"readlink", GIVE(fs::readlink(a[0])) co_return cwdHidden(r); }},
    {"realpath", GIVE(fs::realpath(a[0])) co_return cwdHidden(r); }},
    {"mkdir", makeFolder},
    {"mkdtemp", GIVE(fs::mkdtemp(a[0])) co_return r.substr(0, r.size() - 6); }},
    {"rmdir", DO(fs::rmdir(a[0]))}, {"rm", removeAny},
    {"readdir", listNames}, {"readdirTypes", listTypes}, {"opendir", listOneByOne},
    {"copyFile", DO(fs::copyFile(a[0], a[1], static_cast<int>(number(a[2]))))},
    {"copyFileOnly", copyFileOnly}, {"cpTree", copyTree},
    {"cp", DO(fs::cp(a[0], a[1], cpOptions(a[2])))},
    {"exhaust", exhaust}, {"watchFolder", watchFolder}, {"watchFile", watchFile},
    {"readFileAborted", [](const Args& a) { return aborted(fs::readFile(a[0], {.signal = leat::AbortSignal::abort()})); }},
    {"writeFileAborted", [](const Args& a) { return aborted(fs::writeFile(a[0], a[1], {.signal = leat::AbortSignal::abort()})); }},
    {"errorTexts", errorTexts}, {"say", say},
    {"watch", GIVE(fs::watch(a[0])) (void)r; co_return "watches"; }},
};
// clang-format on

std::string failure(const leat::Error& e) {
  const auto* system = dynamic_cast<const leat::SystemError*>(&e);
  const auto hidden = [&](std::string_view text) {
    const std::string whole(text);
    if (system == nullptr || system->syscall() != "mkdtemp") return whole;
    return std::regex_replace(whole, std::regex("[A-Za-z0-9]{6}('?)$"), "XXXXXX$1");
  };
  std::string line = "FAILED " + std::string(e.code());
  if (system == nullptr) return line + " - - | " + std::string(e.message());
  const bool noPath = system->path().empty() && e.message().find('\'') == std::string_view::npos;
  line += " " + std::to_string(system->number()) + " " + std::string(system->syscall());
  line += " path=" + (noPath ? std::string("-") : hidden(system->path()));
  line += " dest=" + (system->dest().empty() && e.message().find("-> '") == std::string_view::npos
                          ? std::string("-")
                          : std::string(system->dest()));
  return cwdHidden(line + " | " + hidden(e.message()));
}

std::string messageOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return failure(e);
  }
}

Task<> performAll(std::string file) {
  std::ifstream lines(file);
  std::string line;
  while (std::getline(lines, line)) {
    Args words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(decoded(line.substr(at, end - at)));
      at = end + 1;
    }
    const Operation operation = operations.at(words[0]);
    words.erase(words.begin());
    leat::Result<std::string> result = co_await leat::asResult(operation(words));
    const std::string shown = result.ok() ? result.value() : messageOf(result.error());
    std::printf("%s\n", encoded(shown).c_str());
  }
  handles.clear();
}

}  // namespace

int main(int, char** arguments) {
  return leat::run([&] { return performAll(arguments[1]); });
}
