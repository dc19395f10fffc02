// SPDX-License-Identifier: MIT
// Files and folders. Node: fs/promises.
#pragma once

// What it reads and writes, whole: the rest includes the declarations only.
#include <leat/buffer.hpp>
#include <leat/fs/copy.hpp>
#include <leat/fs/cp.hpp>
#include <leat/fs/dir.hpp>
#include <leat/fs/directories.hpp>
#include <leat/fs/file_handle.hpp>
#include <leat/fs/files.hpp>
#include <leat/fs/paths.hpp>
#include <leat/fs/remove.hpp>
#include <leat/fs/stats.hpp>
#include <leat/fs/streams.hpp>
#include <leat/fs/types.hpp>
#include <leat/fs/watch.hpp>
