// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/globals.h"

#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/strftime.h"
#include "core/engine/chat/template.h"

namespace loader::chat {
namespace {

using Function = Result<Value> (*)(Runtime&, const Arguments&);

/// How much of a refusal is shown; the template decides its length.
constexpr std::size_t kRefusalBytes = 4096;

Result<Value> rangeFunction(Runtime& runtime, const Arguments& arguments) {
    const Values& given = arguments.positional;
    if (given.empty() || given.size() > 3 || !arguments.named.empty())
        return impossible("range takes 1 to 3 numbers");
    std::int64_t bounds[3] = {0, 0, 1};
    bool origin = true;
    for (std::size_t i = 0; i < given.size(); ++i) {
        LOADER_TRY(bounds[given.size() == 1 ? 1 : i], integerOf("a bound of range", given[i]));
        origin = origin && given[i].fromTemplate();
    }
    const auto [start, stop, step] = bounds;
    if (step == 0) return impossible("a range with step 0");
    std::uint64_t count = 0;
    const auto distance = [](std::int64_t low, std::int64_t high) {
        return static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    };
    const auto stride = static_cast<std::uint64_t>(step);
    if (step > 0 && start < stop) count = (distance(start, stop) - 1) / stride + 1;
    if (step < 0 && start > stop) count = (distance(stop, start) - 1) / (0 - stride) + 1;
    LOADER_TRY(RangeObject* const range, runtime.heap.make<RangeObject>(0, start, stop, step, count));
    return Value::shared(Kind::Range, range, origin);
}

Result<Entries> entriesOf(Runtime& runtime, const Arguments& arguments) {
    Entries entries;
    if (arguments.positional.size() > 1) return impossible("at most one mapping can be given");
    if (!arguments.positional.empty()) {
        const Value& source = arguments.positional[0];
        if (source.is(Kind::Dict)) {
            entries = source.as<DictObject>().entries;
            LOADER_CHECK(runtime.meter.step(entries.size() * sizeof(Value)));
        } else {
            LOADER_TRY(const Values pairs, itemsOf(runtime, source));
            for (const Value& pair : pairs) {
                LOADER_TRY(const Values parts, itemsOf(runtime, pair));
                if (parts.size() != 2) return impossible("a mapping is made of pairs");
                LOADER_CHECK(checkKey(parts[0]));
                entries.emplace_back(parts[0], parts[1]);
            }
        }
    }
    for (const auto& argument : arguments.named) {
        LOADER_TRY(Value key, runtime.makeText(argument.first, true));
        bool replaced = false;
        for (auto& entry : entries) {
            LOADER_TRY(replaced, equal(runtime, entry.first, key));
            if (!replaced) continue;
            entry.second = argument.second;
            break;
        }
        if (!replaced) entries.emplace_back(std::move(key), argument.second);
    }
    return entries;
}

Result<Value> namespaceFunction(Runtime& runtime, const Arguments& arguments) {
    LOADER_TRY(Entries entries, entriesOf(runtime, arguments));
    for (const auto& entry : entries) {
        if (!entry.first.is(Kind::String)) return wrongType("no name can be", entry.first);
    }
    const std::size_t bytes = entries.size() * sizeof(Entries::value_type);
    LOADER_TRY(NamespaceObject* const object, runtime.heap.make<NamespaceObject>(bytes));
    object->entries = std::move(entries);
    return Value::shared(Kind::Namespace, object);
}

Result<Value> dictFunction(Runtime& runtime, const Arguments& arguments) {
    LOADER_TRY(Entries entries, entriesOf(runtime, arguments));
    return runtime.makeDict(std::move(entries));
}

Result<Value> cyclerFunction(Runtime& runtime, const Arguments& arguments) {
    if (arguments.positional.empty() || !arguments.named.empty()) return impossible("a cycler without items");
    const std::size_t bytes = arguments.positional.size() * sizeof(Value);
    LOADER_TRY(CyclerObject* const object, runtime.heap.make<CyclerObject>(bytes, arguments.positional));
    return Value::shared(Kind::Cycler, object);
}

Result<Value> joinerFunction(Runtime& runtime, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("joiner", {"sep"}));
    const Value* const given = arguments.get(0, "sep");
    LOADER_TRY(const Value comma, runtime.makeText(", ", true));
    LOADER_TRY(JoinerObject* const object, runtime.heap.make<JoinerObject>(0, given ? *given : comma));
    return Value::shared(Kind::Joiner, object);
}

Result<Value> raiseFunction(Runtime& runtime, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("raise_exception", {"message"}));
    const Value* const given = arguments.get(0, "message");
    if (!given) return impossible("raise_exception without a message");
    if (given->is(Kind::Undefined)) return Error(Errc::J407, {std::string()});
    LOADER_TRY(const Value message, textOf(runtime, *given));
    return Error(Errc::J407, {message.bytes().substr(0, kRefusalBytes)});
}

Result<Value> strftimeFunction(Runtime& runtime, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("strftime_now", {"format"}));
    const Value* const format = arguments.get(0, "format");
    if (!format || !format->is(Kind::String)) return impossible("strftime_now without a format");
    // A directive of two bytes becomes at most 24.
    const std::size_t bytes = format->bytes().size();
    LOADER_CHECK(runtime.heap.expect(bytes * 12));
    LOADER_CHECK(runtime.meter.step(bytes * 64));
    return runtime.makeText(formatTime(format->bytes(), runtime.input.now), format->fromTemplate());
}

struct Row {
    std::string_view name;
    Function function;
};

constexpr Row kFunctions[] = {
    {"range", rangeFunction},           {"namespace", namespaceFunction}, {"dict", dictFunction},
    {"cycler", cyclerFunction},         {"joiner", joinerFunction},       {"raise_exception", raiseFunction},
    {"strftime_now", strftimeFunction},
};

}  // namespace

std::optional<std::int64_t> findFunction(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kFunctions); ++i) {
        if (kFunctions[i].name == name) return static_cast<std::int64_t>(i);
    }
    return std::nullopt;
}

Result<Value> callFunction(Runtime& runtime, std::int64_t index, const Arguments& arguments) {
    return kFunctions[static_cast<std::size_t>(index)].function(runtime, arguments);
}

}  // namespace loader::chat
