// SPDX-License-Identifier: MIT
// Beside file_streams.js: files as streams.

#include "../streams.hpp"

#include <leat/fs.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace order {
namespace {

/// A folder that goes with the process.
class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::temp_directory_path() / "leat-order-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw Error("no folder " + path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
  }
  std::string next() { return path_ + "/" + std::to_string(++made_); }

 private:
  std::string path_;
  int made_ = 0;
};

std::string place() {
  static Folder folder;
  return folder.next();
}
std::string place(std::string_view content) {
  const std::string name = place();
  std::ofstream(name) << content;
  return name;
}
std::string contentOf(const std::string& name) {
  std::ostringstream all;
  all << std::ifstream(name).rdbuf();
  return all.str();
}
const char* isOpen(int fd) {
  struct ::stat found;
  return ::fstat(fd, &found) == 0 ? "open" : "shut";
}

template <class S, class... Names>
const S& says(Log log, const S& s, const char* label, Names... names) {
  (s.on(names, [=] { log(label, names.view()); }), ...);
  s.template on<"error">([=](const std::exception_ptr& error) { log(label, text(error)); });
  return s;
}
template <class S>
const S& reads(Log log, const S& s, const char* label = "r:") {
  return says(log, s, label, "end"_e, "open"_e, "ready"_e, "close"_e);
}
template <class S>
const S& writes(Log log, const S& s, const char* label = "w:") {
  return says(log, s, label, "pipe"_e, "drain"_e, "prefinish"_e, "finish"_e, "unpipe"_e, "open"_e,
              "ready"_e, "close"_e);
}
template <class S>
void sayText(Log log, const S& s) {
  s.template on<"data">([log](const Buffer& chunk) { log(chunk.toString()); });
}
template <class F>
void sayWhy(Log log, F make) {
  try {
    make();
  } catch (const Error& error) {
    log(error.name());
  }
}

/// What happens to both, word by word.
struct Life {
  Log log;
  std::vector<std::string> words;
  int closed = 0;

  void before(const char* a, const char* b) const {
    const auto place = [this](const char* word) {
      return std::find(words.begin(), words.end(), word) - words.begin();
    };
    log(a, place(a) < place(b) ? "<" : ">", b);
  }
  void one(bool ofSink) const {
    std::string all;
    for (const std::string& word : words)
      if (word.starts_with("w.") == ofSink) all += (all.empty() ? "" : ",") + word;
    log(all);
  }
  void bothClosed() {
    if (++closed < 2) return;
    one(false);
    one(true);
    if (std::find(words.begin(), words.end(), "end") == words.end()) return;
    before("w.pipe", "open");
    before("end", "w.prefinish");
    before("ready", "w.finish");
  }
};
void live(Log log, const fs::ReadStream& r, const fs::WriteStream& w) {
  const auto life = std::make_shared<Life>(Life{log, {}});
  const auto say = [&](const auto& s, auto name, const char* label) {
    s.on(name, [=] { life->words.push_back(label + std::string(name.view())); });
  };
  say(r, "resume"_e, "");
  say(r, "open"_e, "");
  say(r, "ready"_e, "");
  say(r, "end"_e, "");
  say(r, "close"_e, "");
  say(w, "pipe"_e, "w.");
  say(w, "open"_e, "w.");
  say(w, "ready"_e, "w.");
  say(w, "prefinish"_e, "w.");
  say(w, "finish"_e, "w.");
  say(w, "unpipe"_e, "w.");
  say(w, "close"_e, "w.");
  r.on<"error">([life](const std::exception_ptr& error) { life->words.push_back(text(error)); });
  r.on<"close">([life] { life->bothClosed(); });
  w.on<"close">([life] { life->bothClosed(); });
  r.pipe(w);
  r.on<"data">([life](const Buffer& chunk) {
    life->words.push_back("data" + std::to_string(chunk.size()));
  });
}

void copyCases(Cases& add) {
  add("the life of a copy", [](Log log) {
    const std::string to = place();
    const auto r = fs::createReadStream(place("some text"));
    const auto w = fs::createWriteStream(to);
    live(log, r, w);
    w.on<"close">([=] { log(contentOf(to).size(), "-", r.bytesRead(), "-", w.bytesWritten()); });
  });
  add("the life of a copy in pieces", [](Log log) {
    const std::string from = place("0123456789");
    live(log, fs::createReadStream(from, {.highWaterMark = 4}), fs::createWriteStream(place()));
  });
  add("the life of a copy of nothing", [](Log log) {
    const std::string from = place("");
    live(log, fs::createReadStream(from), fs::createWriteStream(place()));
  });
  add("a copy from what is not there", [](Log log) {
    const auto r = fs::createReadStream(place());
    const auto w = fs::createWriteStream(place());
    live(log, r, w);
    r.on<"close">([w] { w.destroy(); });
  });
}

void descriptorCases(Cases& add) {
  add("a descriptor is read and closed", [](Log log) {
    const int fd = ::open(place("0123456789").c_str(), O_RDONLY | O_CLOEXEC);
    const auto r = reads(log, fs::createReadStream("ignored", {.fd = fd, .start = 2, .end = 4}));
    log(yesNo(r.pending()), r.path().empty() ? "nowhere" : "somewhere");
    sayText(log, r);
    r.on<"close">([=] { log(isOpen(fd)); });
  });
  add("a descriptor that is kept is closed by destroy", [](Log log) {
    const int fd = ::open(place("text").c_str(), O_RDONLY | O_CLOEXEC);
    const auto r = reads(log, fs::createReadStream("", {.fd = fd, .autoClose = false}));
    sayText(log, r);
    r.on<"end">([=] {
      setImmediate([=] {
        log(isOpen(fd), yesNo(r.destroyed()));
        r.destroy();
      });
    });
    r.on<"close">([=] { log(isOpen(fd)); });
  });
  add("a descriptor is written and kept", [](Log log) {
    const std::string name = place("0123456789");
    const int fd = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
    const auto w =
        writes(log, fs::createWriteStream("", {.fd = fd, .autoClose = false, .start = 3}));
    w.write(Buffer::from("ab"));
    w.end(Buffer::from("cd"), [=](const std::exception_ptr&) {
      setImmediate([=] {
        log(isOpen(fd), contentOf(name));
        ::close(fd);
      });
    });
  });
  add("a descriptor that is none", [](Log log) {
    const auto r = reads(log, fs::createReadStream("", {.fd = 99999}));
    r.on<"data">(log.say("data"));
    sayWhy(log, [] { (void)fs::createReadStream("", {.fd = -1}); });
    sayWhy(log, [] { (void)fs::createWriteStream("", {.fd = -1}); });
  });
}

void closeCases(Cases& add) {
  add("close of a sink", [](Log log) {
    const std::string to = place();
    const auto w = writes(log, fs::createWriteStream(to));
    w.write(Buffer::from("text"));
    w.close([=] {
      log("told", contentOf(to));
      w.close(log.say("again"));
      log("not-yet");
    });
    log("asked");
  });
  add("close of a sink that keeps its file", [](Log log) {
    const auto w = writes(log, fs::createWriteStream(place(), {.autoClose = false}));
    w.write(Buffer::from("text"));
    w.close(log.say("told"));
  });
  add("close of a sink that cannot be opened", [](Log log) {
    const auto w = writes(log, fs::createWriteStream(place() + "/none"));
    w.close([log] { log("told-ok"); });
  });
  add("close of a source", [](Log log) {
    const auto outcome = [log](const char* word) {
      return [=](const std::exception_ptr& error) { log(word, error ? text(error) : "ok"); };
    };
    const auto r = reads(log, fs::createReadStream(place("text")));
    r.close(outcome("told-"));
    r.on<"close">([=] {
      const auto whole = reads(log, fs::createReadStream(place("text")), "whole:");
      whole.on<"close">([=] { whole.close(outcome("whole-")); });
      whole.resume();
    });
  });
}

}  // namespace

void fileStreamCases(Cases& add) {
  add.topic("file_streams");
  copyCases(add);
  descriptorCases(add);
  closeCases(add);
}

}  // namespace order
