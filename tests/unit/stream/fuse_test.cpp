// SPDX-License-Identifier: MIT
// Every system call of a pipeline failed once: one error is told, each stage is destroyed once, no file
// stays open, and what was written is what has come so far.
#include "../fs/fs_rig.hpp"
#include "../net/net_rig.hpp"

#include <leat/net/socket_stream.hpp>
#include <leat/stream.hpp>

namespace {

namespace fs = leat::fs;
using leat::Buffer;
using leat::Task;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::get;
using leat_test::put;
using leat_test::TempFolder;

/// What is seen of a stage.
struct Stage {
  int closes = 0;
  int errors = 0;
  int destroys = 0;
};
template <class S>
void watch(Stage& stage, const S& stream) {
  stream.template on<"close">([&stage] { ++stage.closes; });
  stream.template on<"error">([&stage](const std::exception_ptr&) { ++stage.errors; });
}
void checkOnce(const Stage& stage, bool failed) {
  CHECK(stage.closes == 1);
  CHECK(stage.errors <= (failed ? 1 : 0));
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}
std::string letters(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + i * 31 % 23 + i / 8192 % 3);
  return text;
}

struct UpperCase {
  Buffer transform(Buffer chunk) { return Buffer::from(upper(chunk.toString())); }
  void destroy() { ++stage.destroys; }
  Stage& stage;
};

/// What a pipeline has told, and how often.
struct Told {
  int times = 0;
  std::string code;
  auto callback() {
    return [this](const std::exception_ptr& error) {
      ++times;
      code = error ? net_rig::codeOf(error) : "";
    };
  }
};

/// Runs `body` with each call of each kind failing once; gives how many runs told an error.
template <class Body>
long failEach(const std::vector<Call>& kinds, int error, Body body) {
  long failed = 0;
  const auto once = [&](FaultInjector& injector) {
    const std::string code = body();
    INFO(leat::sys::name(injector.lastBlown()) << ": " << code);
    if (code.empty()) return;
    ++failed;
    CHECK(injector.blown() == 1);
    CHECK(code == leat::sys::errorName(error));
  };
  for (const Call kind : kinds) leat::testing::fuse(once, error, leat::testing::calls(kind));
  return failed;
}

}  // namespace

TEST_CASE("file to transform to file: whatever call fails, each byte is accounted for") {
  const TempFolder folder;
  std::string whole, changed;
  // Each chunk is waited for, or more are written behind it.
  bool watched = true;
  const auto body = [&] {
    Stage first, second, third;
    Told told;
    std::uint64_t read = 0, written = 0;
    bool finished = false;
    std::filesystem::remove("to");
    const auto main = [&]() -> Task<> {
      const auto source = fs::createReadStream("from", {.highWaterMark = whole.size() / 9});
      const leat::Transform<Buffer> middle(UpperCase{second});
      const auto sink = fs::createWriteStream("to", {.flush = true});
      watch(first, source);
      watch(second, middle);
      watch(third, sink);
      sink.on<"finish">([&] { finished = true; });
      if (watched) sink.on<"drain">([] {});
      const auto callback = told.callback();
      leat::pipeline(source, middle, sink, callback);
      co_await source.closed();
      co_await middle.closed();
      co_await sink.closed();
      co_await folder.awaitClosed();
      read = source.bytesRead();
      written = sink.bytesWritten();
    };
    CHECK(leat::run(main) == 0);
    CHECK(told.times == 1);
    const bool failed = !told.code.empty();
    checkOnce(first, failed);
    checkOnce(second, failed);
    checkOnce(third, failed);
    CHECK(second.destroys == 1);
    if (failed) CHECK(first.errors + second.errors + third.errors > 0);
    const std::string got = get("to");
    CHECK(got.size() == written);
    CHECK(written <= read);
    CHECK((got == changed.substr(0, got.size())));
    if (finished) CHECK(got.size() == whole.size());
    if (!failed) CHECK(finished);
    return told.code;
  };
  const std::vector<Call> kinds = {Call::open,  Call::openat2, Call::close,  Call::read,
                                   Call::readv, Call::preadv2, Call::pread,  Call::preadv,
                                   Call::write, Call::writev,  Call::pwrite, Call::pwritev,
                                   Call::fsync, Call::statx,   Call::fstatfs};
  const std::vector<Call> writes = {Call::write, Call::writev, Call::pwrite, Call::pwritev};
  for (const std::size_t size : {std::size_t{150'000}, std::size_t{1'500'000}}) {
    whole = letters(size);
    changed = upper(whole);
    put("from", whole);
    CHECK(failEach(kinds, EIO, body) >= 10);
    // Behind the first goes a chunk, and then what came meanwhile, which is less than half.
    CHECK(failEach(writes, ENOSPC, body) >= (watched ? 9 : 3));
    watched = false;
  }
}

TEST_CASE("socket to file: whatever call fails, what was written is what was sent so far") {
  const TempFolder folder;
  const std::string sent = letters(100'000);
  const auto body = [&] {
    Stage first, second;
    Told told;
    std::uint64_t written = 0;
    bool finished = false;
    std::filesystem::remove("to");
    const auto main = [&]() -> Task<> {
      net_rig::Duo duo;
      duo.say(sent);
      duo.sayEnd();
      const auto source = leat::duplexFrom(duo.socket);
      const auto sink = fs::createWriteStream("to");
      watch(first, source);
      watch(second, sink);
      sink.on<"finish">([&] { finished = true; });
      const auto callback = told.callback();
      leat::pipeline(leat::Readable<Buffer>(source), sink, callback);
      co_await sink.closed();
      // The end of what is received ends what is sent.
      co_await source.closed();
      written = sink.bytesWritten();
    };
    CHECK(leat::run(main) == 0);
    folder.checkClosed();
    CHECK(told.times == 1);
    const bool failed = !told.code.empty();
    CHECK(first.closes == 1);
    CHECK(first.errors <= 1);
    checkOnce(second, failed);
    const std::string got = get("to");
    CHECK(got.size() == written);
    CHECK((got == sent.substr(0, got.size())));
    if (finished) CHECK(got.size() == sent.size());
    if (!failed) CHECK(finished);
    return told.code;
  };
  const std::vector<Call> kinds = {Call::open,   Call::openat2, Call::close,    Call::recv,
                                   Call::read,   Call::recvmsg, Call::write,    Call::writev,
                                   Call::pwrite, Call::pwritev, Call::shutdown, Call::getsockopt};
  CHECK(failEach(kinds, EIO, body) >= 5);
  CHECK(failEach({Call::recv, Call::recvmsg}, ECONNRESET, body) >= 1);
}
