// SPDX-License-Identifier: MIT
// Emitters, event targets, and waiting for events. Node: require("events").
#pragma once

#include <leat/events/event_emitter.hpp>
#include <leat/events/event_target.hpp>
#include <leat/events/functions.hpp>
#include <leat/events/once.hpp>
#include <leat/events/sequence.hpp>
#include <leat/events/typed_emitter.hpp>
