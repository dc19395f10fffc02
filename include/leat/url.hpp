// SPDX-License-Identifier: MIT
// URL and URLSearchParams. Node: the globals, and require("url").
#pragma once

#include <leat/url/url.hpp>
