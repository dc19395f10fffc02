// SPDX-License-Identifier: MIT
// Every switch of the library. Each macro is always defined, to 0 or 1, and tested with `#if`.
// A switch that changes the layout of a type or the pairing of allocations is part of LEAT_ABI, so
// that two differently configured objects fail to link instead of misbehaving.
#pragma once

#include <leat/base/version.hpp>

#if !defined(__linux__)
#error "leat needs Linux"
#endif
#if __cplusplus < 202002L
#error "leat needs C++20: compile with -std=c++20 or newer"
#endif

/// The thread and address sanitizers, as the compiler tells them.
#if defined(__SANITIZE_ADDRESS__)
#define LEAT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAT_ASAN 1
#endif
#endif
#ifndef LEAT_ASAN
#define LEAT_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define LEAT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_TSAN 1
#endif
#endif
#ifndef LEAT_TSAN
#define LEAT_TSAN 0
#endif

/// Whether a transfer of control between coroutines checks how deep the stack is. g++ makes the tail
/// call only at -O2 without sanitizers, which no macro tells; clang always makes it.
#ifndef LEAT_STACK_CHECK
#if defined(__clang__)
#define LEAT_STACK_CHECK 0
#else
#define LEAT_STACK_CHECK 1
#endif
#endif

/// How many bytes of stack nested transfers may use before they unwind to the innermost `run`.
#ifndef LEAT_STACK_BUDGET
#define LEAT_STACK_BUDGET (64 * 1024)
#endif

/// Whether coroutine frames are recycled per thread. Off under sanitizers, which want real frees.
#ifndef LEAT_RECYCLE_FRAMES
#if LEAT_ASAN || LEAT_TSAN
#define LEAT_RECYCLE_FRAMES 0
#else
#define LEAT_RECYCLE_FRAMES 1
#endif
#endif

/// Whether who awaited a task frees its frame without a call into the coroutine, where nothing is left in it to
/// destroy. g++ makes one function of a coroutine, which has to find out where it is; clang makes three, and may
/// do without the frame. The name in LEAT_ABI that tells of checks tells of this, too.
#if LEAT_RECYCLE_FRAMES && LEAT_STACK_CHECK
#define LEAT_FREE_FRAMES 1
#else
#define LEAT_FREE_FRAMES 0
#endif

/// g++ 12 destroys the captures of a closure written inside a `co_await` expression twice. With the
/// guard on, functions that take a callable and give something awaitable refuse such closures.
#ifndef LEAT_CLOSURE_GUARD
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define LEAT_CLOSURE_GUARD 1
#else
#define LEAT_CLOSURE_GUARD 0
#endif
#endif

/// Whether the io_uring back end stands on liburing instead of leat's own system calls.
#ifndef LEAT_USE_LIBURING
#define LEAT_USE_LIBURING 0
#endif

/// Whether the functions that are no templates stand in one object of the program (leat/compiled.hpp) instead of
/// in each. Everything that is linked together has to agree.
#ifndef LEAT_COMPILED
#define LEAT_COMPILED 0
#endif
/// Whether this is that object.
#ifndef LEAT_COMPILING
#define LEAT_COMPILING 0
#endif
#if LEAT_COMPILING && !LEAT_COMPILED
#error \
    "LEAT_COMPILING is for one file of a program of which every file is compiled with LEAT_COMPILED=1"
#endif
#if LEAT_COMPILING && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// g++ 12 thinks of closures in the frames of coroutines that another file might have others of that name.
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
/// Whether the bodies of those functions are read here.
#if !LEAT_COMPILED || LEAT_COMPILING
#define LEAT_BODIES 1
#else
#define LEAT_BODIES 0
#endif
/// In front of a function whose body stands inside of `#if LEAT_BODIES`, at its declaration and its definition.
#if LEAT_COMPILED
#define LEAT_INLINE
#else
#define LEAT_INLINE inline
#endif

/// Entities with identity: one instance per process, also across shared libraries that hide symbols.
#define LEAT_API [[gnu::visibility("default")]]

#define LEAT_NOINLINE [[gnu::noinline]]
/// In front of a coroutine that needs no template parameter, and of each function that calls it: g++
/// without optimisation emits every coroutine that it sees, but a template only where it is used.
/// LEAT_ON_USE_BODY is in front of its definition, where that stands apart.
#if LEAT_COMPILED
#define LEAT_ON_USE
#define LEAT_ON_USE_BODY
#else
#define LEAT_ON_USE template <class = void>
#define LEAT_ON_USE_BODY template <class>
#endif
/// For what is a few instructions once the size or type it is called with is known.
#define LEAT_ALWAYS_INLINE [[gnu::always_inline]]

// What of LEAT_ABI each switch that matters to it says.
#if LEAT_STACK_CHECK
#define LEAT_ABI_CALLS
#else
#define LEAT_ABI_CALLS _tail_calls
#endif
#if LEAT_RECYCLE_FRAMES
#define LEAT_ABI_FRAMES
#else
#define LEAT_ABI_FRAMES _plain_frames
#endif
#if LEAT_USE_LIBURING
#define LEAT_ABI_RING _liburing
#else
#define LEAT_ABI_RING
#endif
#if LEAT_COMPILED
#define LEAT_ABI_BODIES _compiled
#else
#define LEAT_ABI_BODIES
#endif
#define LEAT_ABI_JOIN(version, calls, frames, ring, bodies) version##calls##frames##ring##bodies
#define LEAT_ABI_EXPAND(version, calls, frames, ring, bodies) \
  LEAT_ABI_JOIN(version, calls, frames, ring, bodies)
#define LEAT_ABI \
  LEAT_ABI_EXPAND(v0_1, LEAT_ABI_CALLS, LEAT_ABI_FRAMES, LEAT_ABI_RING, LEAT_ABI_BODIES)

/// The tag goes into the names of functions and variables that give a type of leat: what a function returns
/// is no part of its name otherwise, and two configurations would link.
namespace leat {
inline namespace LEAT_ABI __attribute__((abi_tag)) {}
}  // namespace leat
