// SPDX-License-Identifier: MIT
// The events of `process`, for the cases: each of these is JavaScript's `process.on(name, f)`.
#pragma once

#include <leat/loop/event_loop.hpp>

#include <functional>

namespace order {

class Events final : public leat::detail::ProcessHooks {
 public:
  using Answer = leat::detail::HookAnswer;
  static Events& here() {
    leat::EventLoop& loop = leat::EventLoop::current();
    if (loop.hooks() == nullptr) loop.setHooks(new Events(loop));
    return static_cast<Events&>(*loop.hooks());
  }
  std::function<void(std::exception_ptr)> unhandled;
  std::function<void()> handled;
  std::function<void(std::exception_ptr, leat::ExceptionOrigin)> uncaught, monitor;
  std::function<void(int)> onBeforeExit, onExit;

 private:
  explicit Events(leat::EventLoop& loop) : loop_(loop) {}
  Answer uncaughtException(const std::exception_ptr& e, leat::ExceptionOrigin o) noexcept override {
    if (monitor) monitor(e, o);
    if (!uncaught) return Answer::Unhandled;
    try {
      uncaught(e, o);
    } catch (...) {
      loop_.fatal(std::current_exception(), o, nullptr, 7);
      return Answer::Threw;
    }
    return Answer::Handled;
  }
  Answer unhandledRejection(leat::detail::PromiseStateBase& p) noexcept override {
    if (!unhandled) return Answer::Unhandled;
    unhandled(p.error);
    return Answer::Handled;
  }
  bool rejectionHandled(leat::detail::PromiseStateBase&) noexcept override {
    if (handled) handled();
    return true;
  }
  void beforeExit(int code) override {
    if (onBeforeExit) onBeforeExit(code);
  }
  void exit(int code) override {
    if (onExit) onExit(code);
  }
  leat::EventLoop& loop_;
};

template <class F>
void onUnhandledRejection(F f) {
  Events::here().unhandled = f;
}
template <class F>
void onRejectionHandled(F f) {
  Events::here().handled = f;
}
template <class F>
void onUncaughtException(F f) {
  Events::here().uncaught = f;
}
template <class F>
void onUncaughtExceptionMonitor(F f) {
  Events::here().monitor = f;
}
template <class F>
void onBeforeExit(F f) {
  Events::here().onBeforeExit = f;
}
template <class F>
void onExit(F f) {
  Events::here().onExit = f;
}

}  // namespace order
