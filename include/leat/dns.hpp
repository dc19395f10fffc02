// SPDX-License-Identifier: MIT
// Names to addresses by the system's resolver. Node: dns.lookup.
#pragma once

#include <leat/dns/lookup.hpp>
