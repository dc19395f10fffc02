// SPDX-License-Identifier: MIT
// Node's http: a server of HTTP/1.1; and Headers.
#pragma once

#include <leat/http/headers.hpp>
#include <leat/http/server.hpp>
