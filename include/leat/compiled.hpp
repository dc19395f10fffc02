// SPDX-License-Identifier: MIT
// For programs that want to compile faster: with LEAT_COMPILED=1 for all files of a program, one of them includes this
// and nothing else of leat before it. It has all functions that are no templates; the others are read without their
// bodies. The same as the CMake target leat::compiled.
#pragma once

#if !LEAT_COMPILED
#error "leat/compiled.hpp is for programs of which every file is compiled with LEAT_COMPILED=1"
#endif
#ifdef LEAT_BODIES
#error "leat/compiled.hpp comes before any other header of leat"
#else
#define LEAT_COMPILING 1

#include <leat.hpp>
#include <leat/http.hpp>
#include <leat/http/send_file.hpp>
#include <leat/perf_hooks.hpp>
#include <leat/pool/parallel_sort.hpp>
#include <leat/stream/pool_map.hpp>
#include <leat/testing/fuse.hpp>
#include <leat/transforms.hpp>
#include <leat/url.hpp>
#include <leat/worker_threads.hpp>
#endif
