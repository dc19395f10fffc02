// SPDX-License-Identifier: MIT
// The parser over the bytes of a server.
#include "http_messages.hpp"

void fuzz::run(std::string_view input) { parseInPieces(input, http_rig::MessageKind::Response); }
