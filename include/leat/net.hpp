// SPDX-License-Identifier: MIT
// TCP and Unix sockets, servers and clients. Node: net.
#pragma once

#include <leat/net/address.hpp>
#include <leat/net/connect.hpp>
#include <leat/net/server.hpp>
#include <leat/net/socket.hpp>
#include <leat/net/socket_reader.hpp>
