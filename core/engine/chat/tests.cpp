// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <array>

#include "core/engine/chat/evaluator.h"
#include "core/engine/chat/filters.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

Result<const Value*> operand(const Arguments& arguments, std::string_view test) {
    if (arguments.positional.size() == 1 && arguments.named.empty()) return &arguments.positional[0];
    return impossible("the test '" + std::string(test) + "' takes one argument");
}

/// A test that asks only what a value is.
template <bool (*predicate)(const Value&)>
Result<bool> simple(Runtime&, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("a test", {}));
    return predicate(value);
}

template <Operator operation>
Result<bool> comparing(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Value* const other, operand(arguments, "comparison"));
    return compare(runtime, operation, value, *other);
}

bool isDefined(const Value& v) {
    return !v.is(Kind::Undefined);
}
bool isUndefined(const Value& v) {
    return v.is(Kind::Undefined);
}
bool isNone(const Value& v) {
    return v.is(Kind::None);
}
bool isString(const Value& v) {
    return v.is(Kind::String);
}
bool isNumberValue(const Value& v) {
    return v.isNumber();
}
bool isInteger(const Value& v) {
    return v.is(Kind::Int);
}
bool isFloat(const Value& v) {
    return v.is(Kind::Float);
}
bool isMapping(const Value& v) {
    return v.is(Kind::Dict);
}
bool isBoolean(const Value& v) {
    return v.is(Kind::Bool);
}
bool isTrueValue(const Value& v) {
    return v.is(Kind::Bool) && v.truth();
}
bool isFalseValue(const Value& v) {
    return v.is(Kind::Bool) && !v.truth();
}
bool isEscaped(const Value& v) {
    return v.is(Kind::String) && v.as<TextObject>().markup;
}
bool isSequence(const Value& v) {
    // jinja2 asks for a length and for item access; its undefined has both.
    return v.is(Kind::String) || v.isArray() || v.is(Kind::Dict) || v.is(Kind::Range) ||
           v.is(Kind::Undefined);
}
bool isCallable(const Value& v) {
    return v.is(Kind::Macro) || v.is(Kind::Function) || v.is(Kind::Method) || v.is(Kind::Loop) ||
           v.is(Kind::Joiner) || v.is(Kind::Undefined);
}

template <bool upper>
Result<bool> isCase(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value text, textOf(runtime, value));
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    Arguments none;
    LOADER_TRY(const Value changed, runtime.applyFilter(upper ? "upper" : "lower", text, none));
    LOADER_TRY(const Value opposite, runtime.applyFilter(upper ? "lower" : "upper", text, none));
    return changed.bytes() == bytes && opposite.bytes() != bytes;
}

template <int remainder>
Result<bool> isParity(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value rest, calculate(runtime, Operator::Modulo, value, Value::integer(2, true)));
    return compare(runtime, Operator::Equal, rest, Value::integer(remainder, true));
}

Result<bool> isDivisible(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Value* const divisor, operand(arguments, "divisibleby"));
    LOADER_TRY(const Value rest, calculate(runtime, Operator::Modulo, value, *divisor));
    return compare(runtime, Operator::Equal, rest, Value::integer(0, true));
}

Result<bool> isSame(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Value* const other, operand(arguments, "sameas"));
    if (value.kind() != other->kind()) return false;
    const bool small = value.isNumber() || value.is(Kind::None) || value.is(Kind::String);
    return small ? equal(runtime, value, *other) : Result<bool>(value.sameObject(*other));
}

Result<bool> isIn(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Value* const container, operand(arguments, "in"));
    return contains(runtime, *container, value);
}

template <bool test>
Result<bool> isKnownName(Runtime&, const Value& value, const Arguments&);

struct TestRow {
    std::string_view name;
    TestFunction test;
};

constexpr TestRow kTests[] = {
    {"defined", simple<isDefined>},
    {"undefined", simple<isUndefined>},
    {"none", simple<isNone>},
    {"string", simple<isString>},
    {"number", simple<isNumberValue>},
    {"integer", simple<isInteger>},
    {"float", simple<isFloat>},
    {"mapping", simple<isMapping>},
    {"iterable", simple<isIterable>},
    {"sequence", simple<isSequence>},
    {"boolean", simple<isBoolean>},
    {"true", simple<isTrueValue>},
    {"false", simple<isFalseValue>},
    {"callable", simple<isCallable>},
    {"escaped", simple<isEscaped>},
    {"odd", isParity<1>},
    {"even", isParity<0>},
    {"divisibleby", isDivisible},
    {"upper", isCase<true>},
    {"lower", isCase<false>},
    {"sameas", isSame},
    {"in", isIn},
    {"filter", isKnownName<false>},
    {"test", isKnownName<true>},
    {"eq", comparing<Operator::Equal>},
    {"equalto", comparing<Operator::Equal>},
    {"==", comparing<Operator::Equal>},
    {"ne", comparing<Operator::NotEqual>},
    {"!=", comparing<Operator::NotEqual>},
    {"lt", comparing<Operator::Less>},
    {"lessthan", comparing<Operator::Less>},
    {"<", comparing<Operator::Less>},
    {"le", comparing<Operator::LessEqual>},
    {"<=", comparing<Operator::LessEqual>},
    {"gt", comparing<Operator::Greater>},
    {"greaterthan", comparing<Operator::Greater>},
    {">", comparing<Operator::Greater>},
    {"ge", comparing<Operator::GreaterEqual>},
    {">=", comparing<Operator::GreaterEqual>},
};

FilterFunction findFilter(std::string_view name) {
    for (const auto find : {findTextFilter, findListFilter, findOrderFilter, findValueFilter}) {
        if (const FilterFunction filter = find(name)) return filter;
    }
    return nullptr;
}

template <bool test>
Result<bool> isKnownName(Runtime&, const Value& value, const Arguments&) {
    if (!value.is(Kind::String)) return false;
    return test ? findTest(value.bytes()) != nullptr : findFilter(value.bytes()) != nullptr;
}

}  // namespace

TestFunction findTest(std::string_view name) {
    for (const TestRow& row : kTests) {
        if (row.name == name) return row.test;
    }
    return nullptr;
}

Result<Value> Evaluator::applyFilter(std::string_view name, const Value& value, const Arguments& given) {
    LOADER_CHECK(meter.step());
    const FilterFunction filter = findFilter(name);
    if (!filter) return Error(Errc::J408, {"the filter '" + std::string(name.substr(0, 80)) + "'"});
    // What the sandbox hides is not even given to a filter, except to those that ask whether it is there.
    const bool asksOnly = name == "default" || name == "d" || name == "string";
    if (value.is(Kind::Undefined) && value.as<UndefinedObject>().forbidden && !asksOnly)
        return undefinedUse(value);
    return filter(*this, value, given);
}

Result<bool> Evaluator::applyTest(std::string_view name, const Value& value, const Arguments& given) {
    LOADER_CHECK(meter.step());
    const TestFunction test = findTest(name);
    if (!test) return Error(Errc::J408, {"the test '" + std::string(name.substr(0, 80)) + "'"});
    return test(*this, value, given);
}

}  // namespace loader::chat
