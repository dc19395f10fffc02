// SPDX-License-Identifier: MIT
// lookup: the addresses of a host, as the system's getaddrinfo knows them, asked on the blocking pool.
#pragma once

#include <leat/base/ip_text.hpp>
#include <leat/core/system_error.hpp>
#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/pool/blocking_pool.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::inline LEAT_ABI {
namespace dns {

/// Flags for `hints`. Node: `dns.ADDRCONFIG`, `dns.V4MAPPED`, `dns.ALL`.
inline constexpr int ADDRCONFIG = AI_ADDRCONFIG;
inline constexpr int V4MAPPED = AI_V4MAPPED;
inline constexpr int ALL = AI_ALL;

enum class LookupOrder : unsigned char { Verbatim, Ipv4First, Ipv6First };

struct LookupOptions {
  /// 4, 6, or 0 for both.
  int family = 0;
  /// Every address instead of the first.
  bool all = false;
  int hints = 0;
  LookupOrder order = LookupOrder::Verbatim;
  /// Aborts the look-up, besides the ambient signal.
  SignalRef signal{};
};

struct LookupAddress {
  std::string address;
  /// 4 or 6.
  int family;
  friend bool operator==(const LookupAddress&, const LookupAddress&) = default;
};

/// What a look-up found: itself the first address, and a list of all that were asked for.
class LookupResult : public LookupAddress {
 public:
  /// `addresses` has at least one.
  explicit LookupResult(std::vector<LookupAddress> addresses)
      : LookupAddress(addresses.front()), all_(std::move(addresses)) {}
  auto begin() const noexcept { return all_.begin(); }
  auto end() const noexcept { return all_.end(); }
  std::size_t size() const noexcept { return all_.size(); }
  const LookupAddress& operator[](std::size_t index) const noexcept { return all_[index]; }
  operator std::vector<LookupAddress>() const& { return all_; }
  operator std::vector<LookupAddress>() && noexcept { return std::move(all_); }

 private:
  std::vector<LookupAddress> all_;
};

}  // namespace dns

namespace detail {

class LEAT_API Lookups;

/// What the system is asked. The same question in flight is asked once.
class LookupQuestion {
 public:
  LookupQuestion(std::string_view h, int f, int flags) : host(h), family(f), hints(flags) {}
  friend bool operator==(const LookupQuestion&, const LookupQuestion&) = default;

  std::string host;
  int family;
  int hints;
};

struct LookupEntry : ListNode {};

/// A question in flight. Counted by the loop's list, the pool, the way back and those who wait. While
/// the pool has it only the worker touches the outcome; the list of waiters is the loop's alone.
class LookupJob final : public BlockingJob, public PostedJob, public LookupEntry {
 public:
  LookupJob(const LookupQuestion& asked, Ref<LoopShared> loop)
      : BlockingJob(operations, Class::names),
        PostedJob(onPosted),
        question(asked),
        home_(std::move(loop)) {}

  /// 0, or an EAI_ code; with EAI_SYSTEM the number says more.
  void settle(int eai, int errorNumber) noexcept {
    status = eai;
    number = errorNumber;
  }
  [[noreturn]] void throwError() const;

  const LookupQuestion question;
  List<Waiter> waiters;
  std::vector<dns::LookupAddress> found;
  int status = 0;
  int number = 0;

 private:
  static void onRun(BlockingJob& job) noexcept;
  static void onDone(BlockingJob& job) noexcept;
  static void onDispose(BlockingJob& job) noexcept { delete &static_cast<LookupJob&>(job); }
  static void onPosted(PostedJob& job, bool run) noexcept;
  void ask();
  void take(const addrinfo& answer);
  static constexpr Operations operations{onRun, onDone, onDispose};

  Ref<LoopShared> home_;
};

/// The questions of a loop that are in flight. Each holds the loop and is counted once by the list.
class LEAT_API Lookups : public LoopPart {
 public:
  Lookups(const void* k, EventLoop& loop) noexcept : LoopPart(k), loop_(loop) {}
  ~Lookups() override {
    while (LookupEntry* entry = inFlight_.first()) {
      auto& job = static_cast<LookupJob&>(*entry);
      job.waiters.clear();
      (void)BlockingPool::shared().cancel(job);
      forget(job);
    }
  }
  static Lookups& current() {
    EventLoop& loop = EventLoop::current();
    return loop.parts().get<Lookups>(loop);
  }

  Ref<LookupJob> find(const LookupQuestion& question) noexcept {
    for (LookupEntry* entry = inFlight_.first(); entry != nullptr;
         entry = inFlight_.after(*entry)) {
      auto& job = static_cast<LookupJob&>(*entry);
      if (job.question == question) return Ref<LookupJob>(&job);
    }
    return nullptr;
  }
  Ref<LookupJob> make(const LookupQuestion& question) {
    return makeRef<LookupJob>(question, Ref<LoopShared>(&loop_.ref().shared()));
  }
  void start(LookupJob& job) noexcept;
  void finish(LookupJob& job) noexcept;
  /// One that waited has gone; the last one takes the question back.
  void left(LookupJob& job) noexcept;

 private:
  void forget(LookupJob& job) noexcept {
    static_cast<LookupEntry&>(job).unlink();
    loop_.letGo();
    static_cast<BlockingJob&>(job).release();
  }

  EventLoop& loop_;
  List<LookupEntry> inFlight_;
};

class LookupAwaiter : private Waiter {
 public:
  LookupAwaiter(LookupQuestion&& question, bool all, dns::LookupOrder order,
                AbortState* signal) noexcept
      : Waiter(SignalRef(signal)), question_(std::move(question)), all_(all), order_(order) {}
  ~LookupAwaiter() { leave(); }

  /// What is an address already is its own answer.
  bool await_ready() const noexcept { return !aborted() && ipVersion(question_.host) != 0; }
  void await_suspend(std::coroutine_handle<> handle);
  dns::LookupResult await_resume();

 private:
  void leave() noexcept {
    unlink();
    if (job_ && static_cast<LookupEntry&>(*job_).linked()) Lookups::current().left(*job_);
  }

  LookupQuestion question_;
  bool all_;
  dns::LookupOrder order_;
  Ref<LookupJob> job_;
};

/// Node's name of an EAI_ code.
LEAT_INLINE std::string_view lookupCode(int status) noexcept;
/// The addresses as `order` wants them; each family stays in the resolver's order.
LEAT_INLINE std::vector<dns::LookupAddress> inOrder(
    const std::vector<dns::LookupAddress>& addresses, dns::LookupOrder order);

#if LEAT_BODIES
LEAT_INLINE std::string_view lookupCode(int status) noexcept {
  switch (status) {
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
      return "EAI_ADDRFAMILY";
#endif
#ifdef EAI_NODATA
    case EAI_NODATA:
      return "ENOTFOUND";
#endif
    case EAI_NONAME:
      return "ENOTFOUND";
    case EAI_AGAIN:
      return "EAI_AGAIN";
    case EAI_BADFLAGS:
      return "EAI_BADFLAGS";
    case EAI_FAIL:
      return "EAI_FAIL";
    case EAI_FAMILY:
      return "EAI_FAMILY";
    case EAI_MEMORY:
      return "EAI_MEMORY";
    case EAI_OVERFLOW:
      return "EAI_OVERFLOW";
    case EAI_SERVICE:
      return "EAI_SERVICE";
    case EAI_SOCKTYPE:
      return "EAI_SOCKTYPE";
    default:
      return "UNKNOWN";
  }
}

LEAT_INLINE std::vector<dns::LookupAddress> inOrder(
    const std::vector<dns::LookupAddress>& addresses, dns::LookupOrder order) {
  if (order == dns::LookupOrder::Verbatim) return addresses;
  const int preferred = order == dns::LookupOrder::Ipv4First ? 4 : 6;
  std::vector<dns::LookupAddress> result;
  for (const bool first : {true, false})
    for (const dns::LookupAddress& a : addresses)
      if ((a.family == preferred) == first) result.push_back(a);
  return result;
}

LEAT_INLINE void LookupJob::throwError() const {
  if (status == EAI_SYSTEM) throw SystemError::ofAddress(number, "getaddrinfo", question.host, -1);
  throw SystemError::ofHost(lookupCode(status), "getaddrinfo", question.host);
}

LEAT_INLINE void LookupJob::onRun(BlockingJob& base) noexcept {
  auto& job = static_cast<LookupJob&>(base);
  try {
    job.ask();
  } catch (...) {
    job.settle(EAI_MEMORY, 0);
  }
}

LEAT_INLINE void LookupJob::ask() {
  struct Answers {
    ~Answers() {
      if (first != nullptr) ::freeaddrinfo(first);
    }
    addrinfo* first = nullptr;
  };
  addrinfo hints{};
  hints.ai_family = question.family == 4 ? AF_INET : question.family == 6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for each kind of socket
  hints.ai_flags = question.hints;
  Answers answers;
  const int eai = sys::getaddrinfo(question.host.c_str(), nullptr, &hints, &answers.first);
  settle(eai, eai == EAI_SYSTEM ? errno : 0);
  for (const addrinfo* a = answers.first; a != nullptr && status == 0; a = a->ai_next) take(*a);
  if (status == 0 && found.empty()) settle(EAI_NONAME, 0);
}

LEAT_INLINE void LookupJob::take(const addrinfo& answer) {
  if (answer.ai_family != AF_INET && answer.ai_family != AF_INET6) return;
  char text[NI_MAXHOST];
  const int eai = sys::getnameinfo(answer.ai_addr, answer.ai_addrlen, text, sizeof text, nullptr, 0,
                                   NI_NUMERICHOST);
  if (eai != 0) return settle(eai, eai == EAI_SYSTEM ? errno : 0);
  found.push_back(dns::LookupAddress{text, answer.ai_family == AF_INET ? 4 : 6});
}

/// On the worker. The way back has a count of its own.
LEAT_INLINE void LookupJob::onDone(BlockingJob& base) noexcept {
  auto& job = static_cast<LookupJob&>(base);
  base.retain();
  if (!job.home_->post(job)) base.release();
}

LEAT_INLINE void LookupJob::onPosted(PostedJob& posted, bool run) noexcept {
  auto& job = static_cast<LookupJob&>(posted);
  if (run && static_cast<LookupEntry&>(job).linked()) Lookups::current().finish(job);
  static_cast<BlockingJob&>(job).release();
}

LEAT_INLINE void Lookups::start(LookupJob& job) noexcept {
  static_cast<BlockingJob&>(job).retain();
  inFlight_.pushBack(job);
  loop_.hold();
  const int error = BlockingPool::shared().submit(job);
  if (error == 0) return;
  job.settle(EAI_SYSTEM, -error);
  finish(job);
}

LEAT_INLINE void Lookups::finish(LookupJob& job) noexcept {
  while (!job.waiters.empty()) job.waiters.front().wake();
  forget(job);
}

LEAT_INLINE void Lookups::left(LookupJob& job) noexcept {
  if (!job.waiters.empty()) return;
  (void)BlockingPool::shared().cancel(job);
  forget(job);
}

LEAT_INLINE void LookupAwaiter::await_suspend(std::coroutine_handle<> handle) {
  Lookups& lookups = Lookups::current();
  Ref<LookupJob> job = lookups.find(question_);
  const bool isNew = !job;
  if (isNew) job = lookups.make(question_);
  wait(handle, job->waiters);
  if (!linked() || cancelled()) return;
  job_ = job;
  if (isNew) lookups.start(*job);
}

LEAT_INLINE dns::LookupResult LookupAwaiter::await_resume() {
  leave();
  finish();
  if (!job_)
    return dns::LookupResult({dns::LookupAddress{question_.host, ipVersion(question_.host)}});
  if (job_->status != 0) job_->throwError();
  std::vector<dns::LookupAddress> found = inOrder(job_->found, order_);
  if (!all_) found.resize(1, found.front());
  return dns::LookupResult(std::move(found));
}
#endif

}  // namespace detail

namespace dns {

/// What `lookup` gives. It can be moved, awaited, spawned, or dropped.
class [[nodiscard("nothing is looked up until this is awaited")]] LookupOperation {
 public:
  LookupOperation(std::string_view host, const LookupOptions& options)
      : question_(host, options.family, options.hints),
        signal_(options.signal.state()),
        all_(options.all),
        order_(options.order) {}
  leat::detail::LookupAwaiter operator co_await() && noexcept {
    return leat::detail::LookupAwaiter(std::move(question_), all_, order_, signal_.get());
  }

 private:
  leat::detail::LookupQuestion question_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
  bool all_;
  LookupOrder order_;
};

/// The addresses of a host, in the order of the system's resolver unless `order` says otherwise. An IP
/// address is its own answer, whatever `family` says.
///
/// Node: `dns.promises.lookup`; an empty host, and one with a zero byte, are errors here. A name beyond
/// ASCII is asked as it is, and not found: give it as punycode (xn--...), which Node makes of it. Equal
/// questions that are in flight on a loop are asked once.
/// Completes: in a microtask of the poll phase; at once for an IP address.
/// Cancel: AbortError at once; the answer is thrown away when it comes.
/// Throws: SystemError ("getaddrinfo ENOTFOUND host"); at the call TypeError ERR_INVALID_ARG_VALUE.
LEAT_INLINE LookupOperation lookup(std::string_view host, LookupOptions options = {});

#if LEAT_BODIES
LEAT_INLINE LookupOperation lookup(std::string_view host, LookupOptions options) {
  using leat::detail::Decimal;
  using leat::detail::SharedText;
  constexpr int known = ADDRCONFIG | V4MAPPED | ALL;
  if (host.empty() || host.find('\0') != std::string_view::npos)
    throw TypeError(SharedText{"The argument 'hostname' must ",
                               host.empty() ? "not be empty" : "be a string without null bytes",
                               ". Received '", host.substr(0, host.find('\0')), "'"}
                        .view());
  if (options.family != 0 && options.family != 4 && options.family != 6)
    throw TypeError(SharedText{"The property 'options.family' must be one of: 0, 4, 6. Received ",
                               Decimal(options.family)}
                        .view());
  if ((options.hints & ~known) != 0)
    throw TypeError(
        SharedText{"The argument 'hints' is invalid. Received ", Decimal(options.hints)}.view());
  return LookupOperation(host, options);
}
#endif

}  // namespace dns
}  // namespace leat::inline LEAT_ABI
