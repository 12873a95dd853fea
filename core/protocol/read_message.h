// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From a frame to its message, or to what is wrong with it; the same at both ends.
#pragma once

#include <string>
#include <utility>

#include "core/engine/base/result.h"
#include "core/protocol/frame.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

/// The other end broke the rules. @errors W607
inline Error broken(const std::string& reason) {
    return Error(Errc::W607, {reason});
}

/// @errors W607 where the payload is not exactly such a message
template <class T>
Result<T> readMessage(const Frame& frame) {
    auto message = decode<T>(frame.payload);
    if (!message) return broken("the message " + std::string(nameOf(frame.type)) + " cannot be read");
    return std::move(*message);
}

}  // namespace loader::protocol
