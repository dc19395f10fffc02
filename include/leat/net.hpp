// SPDX-License-Identifier: MIT
// TCP and Unix sockets, servers and clients. Node: net.
#pragma once

// What it reads and writes, whole: the rest includes the declarations only.
#include <leat/buffer.hpp>
#include <leat/net/address.hpp>
#include <leat/net/connect.hpp>
#include <leat/net/server.hpp>
#include <leat/net/socket.hpp>
#include <leat/net/socket_reader.hpp>
#include <leat/net/socket_stream.hpp>
