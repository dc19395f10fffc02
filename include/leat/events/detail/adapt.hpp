// SPDX-License-Identifier: MIT
// A user's callable in the form in which an emitter keeps it: it may take fewer arguments than the event
// has, and it may be a coroutine.
#pragma once

#include <leat/events/detail/emitter_base.hpp>

#include <optional>
#include <tuple>

namespace leat::inline LEAT_ABI::detail {

template <class F, class List, class Indices>
inline constexpr bool takesFirst = false;
template <class F, class... Args, std::size_t... i>
inline constexpr bool takesFirst<F, std::tuple<Args...>, std::index_sequence<i...>> =
    std::is_invocable_v<F&, std::tuple_element_t<i, std::tuple<Args...>>...>;

/// How many arguments from the left F takes: as many as it can; -1 when not even none.
template <class F, class List, int most = static_cast<int>(std::tuple_size_v<List>)>
consteval int argumentsTaken() {
  if constexpr (takesFirst<F, List, std::make_index_sequence<static_cast<std::size_t>(most)>>) {
    return most;
  } else if constexpr (most == 0) {
    return -1;
  } else {
    return argumentsTaken<F, List, most - 1>();
  }
}

/// Takes the exception itself, where the event brings it as an exception_ptr. One of another type goes on.
template <class F, class E = std::exception>
struct TakesException {
  template <class... More>
    requires std::is_invocable_v<F&, const E&, More...>
  decltype(auto) operator()(const std::exception_ptr& error, More&&... more) {
    if (!error)
      throwTypeError(
          "a null std::exception_ptr was emitted, but a listener takes a " + typeName(typeid(E)),
          "ERR_INVALID_ARG_TYPE");
    try {
      std::rethrow_exception(error);
    } catch (const E& e) {
      return callable(e, std::forward<More>(more)...);
    }
  }
  F callable;
};

template <class F, class... Passed>
inline constexpr bool takesException = false;
template <class F, class... More>
inline constexpr bool takesException<F, const std::exception_ptr&, More...> =
    argumentsTaken<F, std::tuple<const std::exception&, More...>>() > 0;

/// What the user gave.
template <class F>
const F& originalOf(const F& callable) noexcept {
  return callable;
}
template <class F, class E>
const F& originalOf(const TakesException<F, E>& wrapped) noexcept {
  return wrapped.callable;
}

/// Calls the callable with the first `count` arguments.
template <int count, class... Passed>
struct FirstOf {
  template <class F>
  LEAT_ALWAYS_INLINE static decltype(auto) call(F& f, Passed... args) {
    if constexpr (count == static_cast<int>(sizeof...(Passed))) {
      return f(static_cast<Passed>(args)...);
    } else {
      return some(f, std::make_index_sequence<static_cast<std::size_t>(count)>(),
                  static_cast<Passed>(args)...);
    }
  }
  template <class F, std::size_t... i>
  static decltype(auto) some(F& f, std::index_sequence<i...>, Passed... args) {
    [[maybe_unused]] std::tuple<Passed&&...> all(static_cast<Passed&&>(args)...);
    return f(static_cast<std::tuple_element_t<i, std::tuple<Passed...>>>(std::get<i>(all))...);
  }
};

/// A listener that is not a coroutine.
template <class F, int count, class... Passed>
struct PlainListener {
  LEAT_ALWAYS_INLINE void operator()(Passed... args) {
    (void)FirstOf<count, Passed...>::call(callable, static_cast<Passed>(args)...);
  }
  const auto& original() const noexcept { return originalOf(callable); }
  F callable;
};

/// Has the rejection of what a coroutine listener does told to the emitter.
LEAT_INLINE void captureRejection(const Promise<>& running, const Ref<EmitterAnchor>& anchor,
                                  const std::string& event);

#if LEAT_BODIES
LEAT_INLINE void captureRejection(const Promise<>& running, const Ref<EmitterAnchor>& anchor,
                                  const std::string& event) {
  const auto later = [anchor, event](const std::exception_ptr& error) {
    nextTick([anchor, event, error] { EmitterBase::rejected(*anchor, error, event); });
  };
  (void)running.catch_(later);
}
#endif

/// A listener that gives something to await. Its closure and arguments are kept until that has ended.
template <class F, int count, class... Passed>
struct AsyncListener {
  /// What is kept together with the closure: a callable of its own, so that the coroutine owns all.
  struct Whole {
    decltype(auto) operator()(OwnedArg<Passed>&&... args) {
      return FirstOf<count, OwnedArg<Passed>&&...>::call(callable,
                                                         static_cast<OwnedArg<Passed>&&>(args)...);
    }
    F callable;
  };
  AsyncListener(EmitterBase& emitter, std::string_view name, F&& f)
      : block(makeRef<CallbackBlock<Whole>>(Whole{std::move(f)})),
        anchor(emitter.anchor()),
        event(name) {}
  void operator()(Passed... args) {
    const Promise<> running =
        driveCallback<Whole, OwnedArg<Passed>...>({}, block, OwnedArg<Passed>(args)...);
    if (anchor->emitter != nullptr && anchor->emitter->captureRejections())
      captureRejection(running, anchor, event);
  }
  const auto& original() const noexcept { return originalOf(block->callable.callable); }

  Ref<CallbackBlock<Whole>> block;
  Ref<EmitterAnchor> anchor;
  std::string event;
};

/// Stands for the type of a callable, to compare listeners.
template <class F>
LEAT_API inline constexpr char callableKind = 0;

template <class F>
concept ComparesToItself = requires(const F& a) { static_cast<bool>(a == a); };

/// The newest listener of the slot that a callable, or a handle, stands for; null when there is none.
template <class F>
ListenerRecord* findListener(const SlotBase& slot, const F& listener) {
  if constexpr (std::is_function_v<F>) {
    return findListener<F*>(slot, &listener);
  } else if constexpr (std::is_convertible_v<const F&, Listener>) {
    const Listener handle = listener;
    for (unsigned i = 0; i < slot.size(); ++i)
      if (slot.block()->entries()[i].record == handle.registration())
        return slot.block()->entries()[i].record;
    return nullptr;
  } else {
    static_assert(ComparesToItself<F>,
                  "closures with captures cannot be compared: keep the handle that on() gives and "
                  "call its off(), or wrap the closure in a SharedListener");
    return slot.find(&callableKind<F>, &listener);
  }
}
template <class F>
std::size_t countListeners(const SlotBase& slot, const F& listener) {
  if constexpr (std::is_function_v<F>) {
    return countListeners<F*>(slot, &listener);
  } else if constexpr (std::is_convertible_v<const F&, Listener>) {
    return findListener(slot, listener) == nullptr ? 0 : 1;
  } else {
    return findListener(slot, listener) == nullptr ? 0 : slot.count(&callableKind<F>, &listener);
  }
}

template <class Kept, class... Passed>
struct ListenerOf final : ListenerRecord, FrameAllocated {
  using Original = std::remove_cvref_t<decltype(std::declval<const Kept&>().original())>;

  explicit ListenerOf(Kept&& k) : kept(std::move(k)) {}
  void drop() noexcept override { kept.reset(); }
  bool same([[maybe_unused]] const void* kind,
            [[maybe_unused]] const void* other) const noexcept override {
    if constexpr (ComparesToItself<Original>) {
      return kind == &callableKind<Original> && kept &&
             kept->original() == *static_cast<const Original*>(other);
    } else {
      return false;
    }
  }
  /// In one line of the cache: over two of them AMD's processors take three times as long for a short callable.
  [[gnu::aligned(64)]] static const ListenerEntry* call(const ListenerEntry* entry,
                                                        const ListenerEntry* end, Passed... args) {
    const Call own = entry->call;
    do {
      (*static_cast<ListenerOf&>(*entry->record).kept)(static_cast<Passed>(args)...);
    } while (++entry != end && entry->call == own);
    return entry;
  }

  std::optional<Kept> kept;
};

/// What stands in the slot for a listener that is called once. As in Node it leaves first.
template <class... Passed>
const ListenerEntry* callOnce(const ListenerEntry* entry, const ListenerEntry*, Passed... args) {
  ListenerRecord& record = *entry->record;
  if (!record.fired) {
    record.off();
    record.fired = true;
    ListenerSlot<Passed...>::callOne(record, record.plain, static_cast<Passed>(args)...);
  }
  return entry + 1;
}

/// What `on("name", f)` of an emitter with events of known types comes to.
template <class F>
Listener nameAtRunTime() {
  static_assert(
      sizeof(F) == 0,
      "this emitter's events are known when compiled: on<\"name\">(f) or on(\"name\"_e, f), "
      "also for once");
  return {};
}

template <class F, class... Passed>
inline constexpr int takenOf = argumentsTaken<F, std::tuple<Passed...>>();
/// Whether an emitter keeps an F for these arguments.
template <class F, class... Passed>
inline constexpr bool isListener = [] {
  if constexpr (takenOf<F, Passed...> >= 0) {
    return true;
  } else {
    return takesException<F, Passed...>;
  }
}();

/// Whether a callable that gives an R is a coroutine, or like one.
template <class R>
inline constexpr bool toBeDriven = Awaitable<R>;
template <>
inline constexpr bool toBeDriven<void> = false;

/// `kept` is called with what the slot passes.
template <class... Passed, class Kept>
Ref<ListenerRecord> makeRecord(Kept&& kept) {
  using Record = ListenerOf<std::remove_cvref_t<Kept>, Passed...>;
  auto record = makeRef<Record>(std::forward<Kept>(kept));
  record->plain = reinterpret_cast<ListenerRecord::Call>(&Record::call);
  return record;
}

template <class... Passed, class F>
Ref<ListenerRecord> makeListener(EmitterBase& emitter, std::string_view name, F&& f) {
  using Callable = std::decay_t<F>;
  constexpr int count = takenOf<Callable, Passed...>;
  if constexpr (count < 0) {
    return makeListener<Passed...>(emitter, name, TakesException<Callable>{std::forward<F>(f)});
  } else {
    using Result = decltype(FirstOf<count, Passed...>::call(std::declval<Callable&>(),
                                                            std::declval<Passed>()...));
    if constexpr (toBeDriven<Result>) {
      return makeRecord<Passed...>(
          AsyncListener<Callable, count, Passed...>(emitter, name, Callable(std::forward<F>(f))));
    } else {
      return makeRecord<Passed...>(PlainListener<Callable, count, Passed...>{std::forward<F>(f)});
    }
  }
}

}  // namespace leat::inline LEAT_ABI::detail
