// SPDX-License-Identifier: MIT
// What may go to another thread: all but the handles of a loop, which say so with a member `LoopBound`.
#pragma once

#include <leat/base/config.hpp>

namespace leat::inline LEAT_ABI {

/// False for the handles of a loop (Promise, Resolver, Timeout, Immediate, Socket, Server, ...) and for
/// containers of them. What a closure has captured nobody can see. Specialise it for types of your own.
template <class T>
inline constexpr bool isSendable = true;
template <class T>
  requires requires { typename T::LoopBound; }
inline constexpr bool isSendable<T> = false;
template <class T>
  requires requires { typename T::value_type; } && (!requires { typename T::LoopBound; })
inline constexpr bool isSendable<T> = isSendable<typename T::value_type>;
template <class T>
inline constexpr bool isSendable<T*> = isSendable<T>;
template <class T>
inline constexpr bool isSendable<const T> = isSendable<T>;

}  // namespace leat::inline LEAT_ABI
