// SPDX-License-Identifier: MIT
// Node's http: a server and a client of HTTP/1.1, and fetch.
#pragma once

#include <leat/http/fetch.hpp>
#include <leat/http/headers.hpp>
#include <leat/http/server.hpp>
