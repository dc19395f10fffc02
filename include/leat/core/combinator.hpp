// SPDX-License-Identifier: MIT
// The promise of a combinator. One block holds the result and an entry for each input, so that an input costs no
// allocation beyond its own promise.
#pragma once

#include <leat/core/promise.hpp>

namespace leat::inline LEAT_ABI::detail {

/// One input: its entry in the reactions of the input's promise.
struct CombinatorInput : Job {
  CombinatorInput(Function onSettled, PromiseStateBase& o) noexcept : Job(onSettled), owner(&o) {}
  bool rejected() const noexcept { return source->status == PromiseStatus::Rejected; }
  PromiseStateBase* owner;
  Ref<PromiseStateBase> source;
};

/// The promise of a combinator, with its inputs behind it in the same block.
template <class U>
class Combinator : public PromiseState<U> {
 public:
  /// What an input that has settled does to the promise. An exception rejects it.
  using Rule = void (*)(Combinator&, CombinatorInput&);

  static Ref<Combinator> make(std::size_t capacity, Rule rule, std::source_location where) {
    (void)currentQueue();
    const std::size_t bytes = alignedSize(sizeof(Combinator) + capacity * sizeof(CombinatorInput),
                                          std::align_val_t(alignof(Combinator)));
    return Ref<Combinator>::adopt(::new (allocateFrame(bytes)) Combinator(bytes, rule, where));
  }
  template <class T>
  void add(Promise<T>&& promise) {
    auto* input = ::new (static_cast<void*>(inputs() + size_)) CombinatorInput(onInput, *this);
    ++size_;
    input->source = Ref<PromiseStateBase>(&promise.state());
    input->source->react(*input);
  }
  /// All inputs are there: from here on they keep the block.
  void start() noexcept {
    open_ = size_;
    if (open_ == 0) return;
    held_ = true;
    this->retain();
    this->addResolver();
  }

  std::size_t size() const noexcept { return size_; }
  CombinatorInput& input(std::size_t index) noexcept { return inputs()[index]; }
  std::size_t indexOf(const CombinatorInput& in) noexcept {
    return static_cast<std::size_t>(&in - inputs());
  }
  bool lastSettled() const noexcept { return open_ == 0; }

 private:
  static_assert(alignof(CombinatorInput) <= alignof(PromiseState<U>));
  Combinator(std::size_t bytes, Rule rule, std::source_location place) noexcept
      : PromiseState<U>(place, destroy), rule_(rule), bytes_(bytes) {}
  ~Combinator() {
    for (std::size_t i = 0; i < size_; ++i) inputs()[i].~CombinatorInput();
  }
  static void destroy(PromiseStateBase& base) noexcept {
    auto& self = static_cast<Combinator&>(base);
    const std::size_t bytes = self.bytes_;
    self.~Combinator();
    freeFrame(&self, bytes);
  }
  static void onInput(Job& job, JobAction action) noexcept {
    auto& settled = static_cast<CombinatorInput&>(job);
    auto& self = static_cast<Combinator&>(*settled.owner);
    --self.open_;
    if (action == JobAction::Drop) return self.letGo();
    try {
      self.rule_(self, settled);
    } catch (...) {
      self.reject(std::current_exception());
    }
    if (!self.pending() || self.open_ == 0) self.letGo();
  }
  /// Settled, it leaves the inputs that are still pending; their rejections stay handled.
  void letGo() noexcept {
    if (!std::exchange(held_, false)) return;
    for (std::size_t i = 0; i < size_; ++i) {
      inputs()[i].unlink();
      inputs()[i].source = nullptr;
    }
    this->dropResolver();
    this->release();
  }
  CombinatorInput* inputs() noexcept { return reinterpret_cast<CombinatorInput*>(this + 1); }

  Rule rule_;
  std::size_t bytes_;
  std::size_t size_ = 0;
  std::size_t open_ = 0;
  bool held_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
