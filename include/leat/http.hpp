// SPDX-License-Identifier: MIT
// Node's http: a server of HTTP/1.1.
#pragma once

#include <leat/http/server.hpp>
