// SPDX-License-Identifier: MIT
// forkSettled: a fork that gives the outcome of each task, so that no failure is lost behind the first one.
#pragma once

#include <leat/base/result.hpp>
#include <leat/pool/fork.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

template <class Join, class T>
Result<T> settledOf(Join& join, Task<T>& task) {
  Slot<T>& slot = taskResult(task);
  if (slot.state() == Slot<T>::Error) return Result<T>::failure(slot.error());
  if (slot.state() == Slot<T>::Empty) {
    try {
      join.throwNotBegun();
    } catch (...) {
      return Result<T>::failure(std::current_exception());
    }
  }
  if constexpr (std::is_void_v<T>) {
    return Result<T>::success();
  } else if constexpr (std::is_reference_v<T>) {
    return Result<T>::success(*slot.stored());
  } else {
    return Result<T>::success(std::move(slot.stored()));
  }
}

template <class... T>
class ForkSettledPack : public ForkPack<T...> {
 public:
  using ForkPack<T...>::ForkPack;
  std::tuple<Result<T>...> await_resume() {
    return std::apply(
        [this](Task<T>&... task) {
          return std::tuple<Result<T>...>{settledOf(this->join_, task)...};
        },
        this->tasks_);
  }
};

template <class T>
class ForkSettledRange : public ForkRange<T> {
 public:
  using ForkRange<T>::ForkRange;
  std::vector<Result<T>> await_resume() {
    std::vector<Result<T>> results;
    results.reserve(this->tasks_.size());
    for (Task<T>& task : this->tasks_) results.push_back(settledOf(this->group(), task));
    return results;
  }
};

/// Makes a task also where `make` fails: one that fails with that.
template <class F, class T>
struct MakesAlways {
  Task<T> operator()(std::size_t number) const {
    try {
      Task<T> task = make(number);
      checkForked(task);
      return task;
    } catch (...) {
      return failed(std::current_exception());
    }
  }
  static Task<T> failed(std::exception_ptr error) {
    std::rethrow_exception(std::move(error));
    if constexpr (std::is_void_v<T>) {
      co_return;
    } else {
      co_await Never();
    }
  }
  struct Never {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    void await_resume() const noexcept {}
  };
  F make;
};

template <class F, class T>
class ForkSettledEach : public ForkEach<MakesAlways<F, T>, T> {
 public:
  using ForkEach<MakesAlways<F, T>, T>::ForkEach;
  LEAT_NOINLINE std::vector<Result<T>> await_resume() {
    const std::size_t count = this->tasks_.size();
    std::vector<Result<T>> results;
    results.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      Task<T> ended = std::move(this->tasks_.data()[i]);
      results.push_back(ended.valid() ? settledOf(this->group(), ended) : missing());
    }
    this->tasks_.clear();
    return results;
  }

 private:
  /// Of a task that was not begun, or for which there was no memory.
  Result<T> missing() {
    try {
      if (this->error_) std::rethrow_exception(this->error_);
      this->throwNotBegun();
    } catch (...) {
      return Result<T>::failure(std::current_exception());
    }
  }
};

}  // namespace detail

/// As `fork`, and gives a Result of each task, in their order; never throws what a task threw. A task that was not
/// begun because the ambient signal was aborted has an AbortError.
///
/// Node: `Promise.allSettled`. Throws: Error ERR_NO_POOL.
template <class... T>
  requires(sizeof...(T) > 0)
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkSettledPack<T...>
forkSettled(Task<T>&&... tasks) {
  (detail::checkForked(tasks), ...);
  return detail::ForkSettledPack<T...>(std::move(tasks)...);
}

template <class T>
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkSettledRange<T>
forkSettled(std::vector<Task<T>>&& tasks) {
  for (const Task<T>& task : tasks) detail::checkForked(task);
  return detail::ForkSettledRange<T>(std::move(tasks));
}

/// What `make(i)` throws is the failure of that task.
template <class F>
  requires std::is_invocable_v<const std::decay_t<F>&, std::size_t>
[[nodiscard("the tasks do not start until the fork is awaited")]] auto forkSettled(
    std::size_t count, F&& make) {
  LEAT_GUARD_CLOSURE(F);
  using Made = std::invoke_result_t<const std::decay_t<F>&, std::size_t>;
  using T = typename detail::ForkedType<Made>::Type;
  using Makes = detail::MakesAlways<std::decay_t<F>, T>;
  return detail::ForkSettledEach<std::decay_t<F>, T>(count,
                                                     Makes{std::decay_t<F>(std::forward<F>(make))});
}

}  // namespace leat::inline LEAT_ABI
