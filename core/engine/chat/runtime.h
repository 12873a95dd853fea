// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What every operation of a rendering may use: memory, the step counter, constructors of values, and calls
// back into the evaluator.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"
#include "core/engine/chat/budget.h"
#include "core/engine/chat/value.h"

namespace loader::chat {

struct RenderInput;

/// Values nested deeper than this are not printed, compared or serialised (J402).
inline constexpr unsigned kValueDepthLimit = 128;

/// Counts the work of a rendering.
class Meter {
public:
    Meter(const Budget& budget, CancelToken cancel)
        : m_budget(budget), m_cancel(cancel), m_end(std::chrono::steady_clock::now() + budget.wall) {}
    /// One step, and one more for every 256 bytes looked at.
    /// @errors J403, J406, X002
    Status step(std::size_t bytes = 0) {
        m_steps += 1 + bytes / 256;
        return m_steps < m_nextLook ? Status() : look();
    }

private:
    Status look();

    const Budget& m_budget;
    CancelToken m_cancel;
    std::chrono::steady_clock::time_point m_end;
    std::uint64_t m_steps = 0;
    std::uint64_t m_nextLook = 0;
};

/// The arguments of a call.
struct Arguments {
    Values positional;
    std::vector<std::pair<std::string, Value>> named;

    /// The value of a parameter, by position or by name; null where it was not given.
    const Value* get(std::size_t position, std::string_view name) const;
    /// Refuses surplus and unknown arguments.
    Status expect(std::string_view callee, std::initializer_list<std::string_view> names) const;
};

class Runtime {
public:
    Runtime(const RenderInput& renderInput, const Budget& budget, CancelToken cancel)
        : heap(budget.heapBytes), meter(budget, cancel), input(renderInput) {}
    virtual ~Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    Heap heap;
    Meter meter;
    const RenderInput& input;

    virtual Result<Value> applyFilter(std::string_view name, const Value& value,
                                      const Arguments& arguments) = 0;
    virtual Result<bool> applyTest(std::string_view name, const Value& value, const Arguments& arguments) = 0;

    Result<Value> makeText(Text text);
    Result<Value> makeText(std::string_view bytes, bool fromTemplate);
    /// Takes what a builder collected.
    Result<Value> makeText(TextBuilder& builder);
    Result<Value> makeMarkup(TextBuilder& builder);
    /// List or Tuple.
    Result<Value> makeList(Values items, Kind kind = Kind::List);
    Result<Value> makeGenerator(Values items, std::string_view label = "generator");
    Result<Value> makeDict(Entries entries);
    Result<Value> makeUndefined(std::string message, bool forbidden = false);
};

/// J409 with a reason.
Error impossible(std::string reason);
/// The error of using an undefined value: J409, or J410 for what is forbidden.
Error undefinedUse(const Value& undefined);
Error wrongType(std::string_view what, const Value& value);

}  // namespace loader::chat
