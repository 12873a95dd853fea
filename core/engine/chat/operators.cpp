// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/engine/base/checked.h"
#include "core/engine/chat/escape.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/percent_format.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

Error tooLarge() {
    return impossible("a number that is too large");
}

Result<Value> repeat(Runtime& runtime, const Value& value, std::int64_t times) {
    const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(times, 0));
    if (value.is(Kind::String)) {
        const Text& text = value.text();
        const auto bytes = checkedMul<std::uint64_t>(count, text.size());
        if (!bytes || *bytes > runtime.heap.limit()) return runtime.heap.full().error();
        LOADER_CHECK(runtime.heap.expect(*bytes));
        LOADER_CHECK(runtime.meter.step(*bytes));
        TextBuilder builder(runtime.heap);
        for (std::uint64_t i = 0; i < count && !text.empty() && builder.status().ok(); ++i)
            builder.append(text);
        return runtime.makeText(builder);
    }
    const Values& items = value.as<ListObject>().items;
    const auto total = checkedMul<std::uint64_t>(count, items.size() * sizeof(Value));
    if (!total || *total > runtime.heap.limit()) return runtime.heap.full().error();
    LOADER_CHECK(runtime.heap.expect(*total));
    LOADER_CHECK(runtime.meter.step(*total));
    Values out;
    out.reserve(items.empty() ? 0 : items.size() * count);
    for (std::uint64_t i = 0; i < count && !items.empty(); ++i)
        out.insert(out.end(), items.begin(), items.end());
    return runtime.makeList(std::move(out), value.kind());
}

Result<Value> addTexts(Runtime& runtime, const Value& a, const Value& b) {
    LOADER_CHECK(runtime.meter.step(a.bytes().size() + b.bytes().size()));
    LOADER_CHECK(runtime.heap.expect(a.bytes().size() + b.bytes().size()));
    TextBuilder builder(runtime.heap);
    const bool markupA = a.as<TextObject>().markup;
    const bool markupB = b.as<TextObject>().markup;
    if (markupA && !markupB) {
        builder.append(a.text());
        appendEscaped(builder, b.text());
        return runtime.makeMarkup(builder);
    }
    if (markupB && !markupA) {
        appendEscaped(builder, a.text());
        builder.append(b.text());
        return runtime.makeMarkup(builder);
    }
    builder.append(a.text());
    builder.append(b.text());
    return markupA ? runtime.makeMarkup(builder) : runtime.makeText(builder);
}

Result<Value> integerPower(std::int64_t base, std::int64_t exponent, bool origin) {
    if (exponent < 0) {
        if (base == 0) return impossible("a division by zero");
        return Value::floating(std::pow(static_cast<double>(base), static_cast<double>(exponent)), origin);
    }
    std::int64_t result = 1;
    std::int64_t square = base;
    for (auto rest = static_cast<std::uint64_t>(exponent); rest != 0; rest >>= 1) {
        if ((rest & 1) != 0 && __builtin_mul_overflow(result, square, &result)) return tooLarge();
        if (rest > 1 && __builtin_mul_overflow(square, square, &square)) return tooLarge();
    }
    return Value::integer(result, origin);
}

Result<Value> integerArithmetic(Operator operation, std::int64_t a, std::int64_t b, bool origin) {
    constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
    std::int64_t result = 0;
    bool overflow = false;
    switch (operation) {
        case Operator::Add: overflow = __builtin_add_overflow(a, b, &result); break;
        case Operator::Subtract: overflow = __builtin_sub_overflow(a, b, &result); break;
        case Operator::Multiply: overflow = __builtin_mul_overflow(a, b, &result); break;
        case Operator::Power: return integerPower(a, b, origin);
        default:
            if (b == 0) return impossible("a division by zero");
            if (operation == Operator::Divide) {
                return Value::floating(static_cast<double>(a) / static_cast<double>(b), origin);
            }
            if (a == kLowest && b == -1) {
                if (operation == Operator::FloorDivide) return tooLarge();
                break;
            }
            result = operation == Operator::Modulo ? a % b : a / b;
            // Python rounds down where C++ rounds towards zero.
            if (a % b != 0 && (a < 0) != (b < 0)) result += operation == Operator::Modulo ? b : -1;
            break;
    }
    if (overflow) return tooLarge();
    return Value::integer(result, origin);
}

Result<Value> floatArithmetic(Operator operation, double a, double b, bool origin) {
    double result = 0;
    switch (operation) {
        case Operator::Add: result = a + b; break;
        case Operator::Subtract: result = a - b; break;
        case Operator::Multiply: result = a * b; break;
        case Operator::Power:
            if (a == 0 && b < 0) return impossible("a division by zero");
            if (a < 0 && std::floor(b) != b) return impossible("a root of a negative number");
            result = std::pow(a, b);
            if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) return tooLarge();
            break;
        default:
            if (b == 0) return impossible("a division by zero");
            if (operation == Operator::Divide) {
                result = a / b;
                break;
            }
            result = std::fmod(a, b);
            if (result != 0 && (result < 0) != (b < 0)) result += b;
            if (operation == Operator::FloorDivide) result = std::floor((a - result) / b + 0.5);
            break;
    }
    return Value::floating(result, origin);
}

std::optional<int> orderNumbers(const Value& a, const Value& b) {
    const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
    if (a.isIntegral() && b.isIntegral()) return sign(a.asInt(), b.asInt());
    const double x = a.asDouble();
    const double y = b.asDouble();
    if (std::isnan(x) || std::isnan(y)) return std::nullopt;
    if (a.isIntegral() != b.isIntegral() && x == y && std::abs(x) < 9.2e18) {
        // The conversion may have rounded: compare as integers. Equal doubles mean that the float is whole.
        const std::int64_t left = a.isIntegral() ? a.asInt() : static_cast<std::int64_t>(x);
        const std::int64_t right = b.isIntegral() ? b.asInt() : static_cast<std::int64_t>(y);
        return sign(left, right);
    }
    return sign(x, y);
}

Status checkDepth(Runtime& runtime, unsigned depth) {
    if (depth > kValueDepthLimit) return Error(Errc::J402, {"values within values"});
    return runtime.meter.step();
}

Result<bool> equalDicts(Runtime& runtime, const DictObject& a, const DictObject& b, unsigned depth) {
    if (a.entries.size() != b.entries.size()) return false;
    for (const auto& entry : a.entries) {
        LOADER_TRY(const Value* const other, findKey(runtime, b, entry.first));
        if (!other) return false;
        LOADER_TRY(const bool same, equal(runtime, entry.second, *other, depth + 1));
        if (!same) return false;
    }
    return true;
}

}  // namespace

bool isTrue(const Value& value) {
    switch (value.kind()) {
        case Kind::Undefined:
        case Kind::None: return false;
        case Kind::Bool:
        case Kind::Int: return value.asInt() != 0;
        case Kind::Float: return value.asDouble() != 0;
        case Kind::String: return !value.bytes().empty();
        case Kind::List:
        case Kind::Tuple:
        case Kind::View: return !value.as<ListObject>().items.empty();
        case Kind::Dict: return !value.as<DictObject>().entries.empty();
        case Kind::Range: return value.as<RangeObject>().count != 0;
        default: return true;
    }
}

Result<bool> equal(Runtime& runtime, const Value& a, const Value& b, unsigned depth) {
    LOADER_CHECK(checkDepth(runtime, depth));
    if (a.isNumber() && b.isNumber()) return orderNumbers(a, b) == std::optional<int>(0);
    if (a.kind() != b.kind()) return false;
    if (a.sameObject(b)) return true;
    switch (a.kind()) {
        case Kind::Undefined:
        case Kind::None: return true;
        case Kind::String: LOADER_CHECK(runtime.meter.step(a.bytes().size())); return a.bytes() == b.bytes();
        case Kind::List:
        case Kind::Tuple: {
            const Values& left = a.as<ListObject>().items;
            const Values& right = b.as<ListObject>().items;
            if (left.size() != right.size()) return false;
            for (std::size_t i = 0; i < left.size(); ++i) {
                LOADER_TRY(const bool same, equal(runtime, left[i], right[i], depth + 1));
                if (!same) return false;
            }
            return true;
        }
        case Kind::Dict: return equalDicts(runtime, a.as<DictObject>(), b.as<DictObject>(), depth);
        case Kind::Range: {
            const auto& left = a.as<RangeObject>();
            const auto& right = b.as<RangeObject>();
            return left.count == right.count &&
                   (left.count == 0 ||
                    (left.start == right.start && (left.count == 1 || left.step == right.step)));
        }
        case Kind::Function: return a.asInt() == b.asInt();
        default: return false;
    }
}

Result<std::optional<int>> order(Runtime& runtime, const Value& a, const Value& b, unsigned depth) {
    LOADER_CHECK(checkDepth(runtime, depth));
    if (a.is(Kind::Undefined)) return undefinedUse(a);
    if (b.is(Kind::Undefined)) return undefinedUse(b);
    if (a.isNumber() && b.isNumber()) return orderNumbers(a, b);
    if (a.is(Kind::String) && b.is(Kind::String)) {
        LOADER_CHECK(runtime.meter.step(std::min(a.bytes().size(), b.bytes().size())));
        const int result = a.bytes().compare(b.bytes());
        return std::optional<int>(result < 0 ? -1 : result > 0 ? 1 : 0);
    }
    if (!a.isArray() || a.kind() != b.kind()) {
        return impossible("no order between " + std::string(typeName(a)) + " and " +
                          std::string(typeName(b)));
    }
    const Values& left = a.as<ListObject>().items;
    const Values& right = b.as<ListObject>().items;
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
        LOADER_TRY(const bool same, equal(runtime, left[i], right[i], depth + 1));
        if (!same) return order(runtime, left[i], right[i], depth + 1);
    }
    return std::optional<int>(left.size() < right.size() ? -1 : left.size() > right.size() ? 1 : 0);
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
    switch (container.kind()) {
        case Kind::Undefined:
            if (container.as<UndefinedObject>().forbidden) return undefinedUse(container);
            return false;
        case Kind::String:
            if (!item.is(Kind::String)) return wrongType("text cannot contain", item);
            LOADER_CHECK(runtime.meter.step(container.bytes().size()));
            return container.bytes().find(item.bytes()) != std::string::npos;
        case Kind::Dict: {
            LOADER_TRY(const Value* const found, findKey(runtime, container.as<DictObject>(), item));
            return found != nullptr;
        }
        case Kind::Range: {
            const auto& range = container.as<RangeObject>();
            if (!item.isNumber() || range.count == 0) return false;
            const double wanted = item.asDouble();
            if (wanted != std::floor(wanted) || std::abs(wanted) > 9.2e18) return false;
            const std::int64_t number =
                item.is(Kind::Float) ? static_cast<std::int64_t>(wanted) : item.asInt();
            const std::int64_t last = range.at(range.count - 1);
            const auto [low, high] = std::minmax(range.start, last);
            if (number < low || number > high) return false;
            const std::uint64_t distance =
                static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(low);
            const auto stride = static_cast<std::uint64_t>(range.step);
            return distance % (range.step < 0 ? 0 - stride : stride) == 0;
        }
        case Kind::List:
        case Kind::Tuple:
        case Kind::View:
        case Kind::Generator: break;
        default: return wrongType("nothing can be looked for in", container);
    }
    const auto& list = container.as<ListObject>();
    for (std::size_t i = list.position; i < list.items.size(); ++i) {
        LOADER_TRY(const bool same, equal(runtime, list.items[i], item));
        if (same) return true;
    }
    return false;
}

Result<bool> compare(Runtime& runtime, Operator operation, const Value& a, const Value& b) {
    switch (operation) {
        case Operator::Equal: return equal(runtime, a, b);
        case Operator::NotEqual: {
            LOADER_TRY(const bool same, equal(runtime, a, b));
            return !same;
        }
        case Operator::In: return contains(runtime, b, a);
        case Operator::NotIn: {
            LOADER_TRY(const bool found, contains(runtime, b, a));
            return !found;
        }
        default: break;
    }
    LOADER_TRY(const std::optional<int> result, order(runtime, a, b));
    if (!result) return false;
    switch (operation) {
        case Operator::Less: return *result < 0;
        case Operator::LessEqual: return *result <= 0;
        case Operator::Greater: return *result > 0;
        default: return *result >= 0;
    }
}

Result<Value> calculate(Runtime& runtime, Operator operation, const Value& a, const Value& b) {
    LOADER_CHECK(runtime.meter.step());
    if (a.is(Kind::String) && operation == Operator::Modulo) return formatPercent(runtime, a, b);
    if (a.is(Kind::Undefined)) return undefinedUse(a);
    if (b.is(Kind::Undefined)) return undefinedUse(b);
    const bool origin = a.fromTemplate() && b.fromTemplate();
    if (a.isNumber() && b.isNumber()) {
        if (a.isIntegral() && b.isIntegral())
            return integerArithmetic(operation, a.asInt(), b.asInt(), origin);
        return floatArithmetic(operation, a.asDouble(), b.asDouble(), origin);
    }
    const auto repeatable = [](const Value& v) { return v.is(Kind::String) || v.isArray(); };
    if (operation == Operator::Multiply) {
        if (repeatable(a) && b.isIntegral()) return repeat(runtime, a, b.asInt());
        if (repeatable(b) && a.isIntegral()) return repeat(runtime, b, a.asInt());
    }
    if (operation == Operator::Add && a.is(Kind::String) && b.is(Kind::String))
        return addTexts(runtime, a, b);
    if (operation == Operator::Add && a.isArray() && a.kind() == b.kind()) {
        const Values& left = a.as<ListObject>().items;
        const Values& right = b.as<ListObject>().items;
        const std::size_t bytes = (left.size() + right.size()) * sizeof(Value);
        LOADER_CHECK(runtime.heap.expect(bytes));
        LOADER_CHECK(runtime.meter.step(bytes));
        Values items;
        items.reserve(left.size() + right.size());
        items.insert(items.end(), left.begin(), left.end());
        items.insert(items.end(), right.begin(), right.end());
        return runtime.makeList(std::move(items), a.kind());
    }
    constexpr std::string_view kNames[] = {"+", "-", "*", "/", "//", "%", "**"};
    return impossible("the operation " + std::string(kNames[static_cast<std::size_t>(operation)]) +
                      " between " + std::string(typeName(a)) + " and " + std::string(typeName(b)));
}

Result<Value> negate(const Value& value) {
    if (value.is(Kind::Float)) return Value::floating(-value.asDouble(), value.fromTemplate());
    if (!value.isIntegral()) return wrongType("there is no negative of", value);
    if (value.asInt() == std::numeric_limits<std::int64_t>::min()) return tooLarge();
    return Value::integer(-value.asInt(), value.fromTemplate());
}

Result<std::int64_t> integerOf(std::string_view what, const Value& value) {
    if (!value.isIntegral()) return wrongType(std::string(what) + " cannot be", value);
    return value.asInt();
}

Status sortValues(Runtime& runtime, Values& items, const Values& keys, bool descending) {
    // A merge sort of our own: it stays in bounds whatever the comparison answers, and stops at the first
    // error.
    const std::size_t count = items.size();
    LOADER_CHECK(runtime.heap.expect(count * (sizeof(std::size_t) * 2 + sizeof(Value))));
    std::vector<std::size_t> from(count);
    std::vector<std::size_t> to(count);
    for (std::size_t i = 0; i < count; ++i)
        from[i] = i;
    for (std::size_t width = 1; width < count; width *= 2) {
        for (std::size_t low = 0; low < count; low += 2 * width) {
            const std::size_t middle = std::min(low + width, count);
            const std::size_t high = std::min(low + 2 * width, count);
            std::size_t left = low;
            std::size_t right = middle;
            for (std::size_t out = low; out < high; ++out) {
                bool takeRight = left >= middle;
                if (!takeRight && right < high) {
                    const Value& a = keys[from[left]];
                    const Value& b = keys[from[right]];
                    LOADER_TRY(const std::optional<int> result, order(runtime, b, a));
                    takeRight = result && (descending ? *result > 0 : *result < 0);
                }
                to[out] = takeRight ? from[right++] : from[left++];
            }
        }
        from.swap(to);
    }
    Values sorted;
    sorted.reserve(count);
    for (const std::size_t index : from)
        sorted.push_back(items[index]);
    items = std::move(sorted);
    return {};
}

}  // namespace loader::chat
