// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/evaluator.h"

#include <limits>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/globals.h"
#include "core/engine/chat/lexer.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"

namespace loader::chat {
namespace {

/// Keys and short values such as roles recur in every message: they are kept once.
constexpr std::size_t kInternedBytes = 24;
constexpr std::size_t kInternedTexts = 1024;

}  // namespace

void Scope::clear() {
    decltype(names)().swap(names);
    parent = Ref<Scope>();
}

const Value* Scope::find(std::uint32_t name) const {
    for (auto entry = names.rbegin(); entry != names.rend(); ++entry) {
        if (entry->first == name) return &entry->second;
    }
    return nullptr;
}

void Scope::set(std::uint32_t name, Value value) {
    for (auto& entry : names) {
        if (entry.first != name) continue;
        entry.second = std::move(value);
        return;
    }
    names.emplace_back(name, std::move(value));
}

void LoopObject::clear() {
    source = Value();
    scope = Ref<Scope>();
    Values().swap(lastChanged);
}

Value LoopObject::at(std::uint64_t position) const {
    if (source.is(Kind::Range))
        return Value::integer(source.as<RangeObject>().at(position), source.fromTemplate());
    return source.as<ListObject>().items[position];
}

Evaluator::Evaluator(const Program& program, const RenderInput& renderInput, const Budget& budget,
                     CancelToken cancel)
    : Runtime(renderInput, budget, cancel),
      m_program(program),
      m_budget(budget),
      m_outermost(program.texts.size()),
      m_isKnown(program.texts.size()),
      m_constants(program.texts.size()),
      m_isConstant(program.texts.size()),
      m_rootOutput(budget.outputBytes),
      m_loopName(knownName("loop")),
      m_callerName(knownName("caller")),
      m_varargsName(knownName("varargs")),
      m_kwargsName(knownName("kwargs")) {}

std::uint32_t Evaluator::knownName(std::string_view name) const {
    for (std::uint32_t i = 0; i < m_program.texts.size(); ++i) {
        if (m_program.texts[i] == name) return i;
    }
    return kNoText;
}

Result<Rendered> Evaluator::run() {
    LOADER_TRY(const Flow flow, execute(m_program.root));
    static_cast<void>(flow);
    LOADER_CHECK(m_rootOutput.status());
    const Text output = m_rootOutput.take();
    Rendered rendered;
    rendered.text = output.bytes();
    std::size_t begin = 0;
    for (const Run& run : output.runs()) {
        rendered.spans.push_back({begin, run.end, run.fromTemplate});
        begin = run.end;
    }
    if (output.uniform() && !output.empty())
        rendered.spans.push_back({0, output.size(), output.allFromTemplate()});
    return rendered;
}

Error Evaluator::placed(Error error, const Node& where) const {
    if (!error.place().empty()) return error;
    return std::move(error).within(placeOf(where.line, where.column));
}

Result<Value> Evaluator::lookUp(std::uint32_t name) {
    for (const Scope* scope = m_scope.get(); scope; scope = scope->parent.get()) {
        if (const Value* const found = scope->find(name)) return *found;
        LOADER_CHECK(meter.step());
    }
    if (m_isKnown[name]) return m_outermost[name];
    LOADER_TRY(Value value, outermost(name));
    m_outermost[name] = value;
    m_isKnown[name] = true;
    return value;
}

/// A variable of the input, a function, or undefined.
Result<Value> Evaluator::outermost(std::uint32_t name) {
    const std::string key(text(name));
    if (key == "messages") return convert(input.messages, false, 0);
    if (key == "add_generation_prompt") return Value::boolean(input.addGenerationPrompt, false);
    if (key == "tools" && input.tools) return convert(*input.tools, false, 0);
    if (const auto found = input.variables.find(key); found != input.variables.end()) {
        // These two come from the model file, as the template does.
        return convert(*found, key == "bos_token" || key == "eos_token", 0);
    }
    if (const std::optional<std::int64_t> function = findFunction(key)) return Value::function(*function);
    return makeUndefined("'" + key + "' is undefined");
}

void Evaluator::assign(std::uint32_t name, Value value) {
    if (m_scope) {
        m_scope->set(name, std::move(value));
        return;
    }
    m_outermost[name] = std::move(value);
    m_isKnown[name] = true;
}

Result<Value> Evaluator::convertText(const std::string& bytes, bool fromTemplate) {
    const bool intern = !fromTemplate && bytes.size() <= kInternedBytes;
    if (intern) {
        const auto known = m_interned.find(bytes);
        if (known != m_interned.end()) return known->second;
    }
    LOADER_CHECK(meter.step(bytes.size() / 4));
    LOADER_CHECK(heap.expect(bytes.size()));
    LOADER_TRY(Value value, utf8::isValid(bytes) ? makeText(bytes, fromTemplate)
                                                 : makeText(utf8::sanitized(bytes), fromTemplate));
    if (intern && m_interned.size() < kInternedTexts) m_interned.emplace(bytes, value);
    return value;
}

Result<Value> Evaluator::convert(const Json& json, bool fromTemplate, std::size_t depth) {
    if (depth > kJsonDepthLimit) return Error(Errc::J414, {"they are nested too deeply"});
    switch (json.type()) {
        case Json::value_t::string: return convertText(json.get_ref<const std::string&>(), fromTemplate);
        case Json::value_t::boolean: return Value::boolean(json.get<bool>(), fromTemplate);
        case Json::value_t::number_integer: return Value::integer(json.get<std::int64_t>(), fromTemplate);
        case Json::value_t::number_unsigned: {
            const auto number = json.get<std::uint64_t>();
            if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                return Error(Errc::J414, {"a number is too large"});
            }
            return Value::integer(static_cast<std::int64_t>(number), fromTemplate);
        }
        case Json::value_t::number_float: return Value::floating(json.get<double>(), fromTemplate);
        case Json::value_t::array: {
            LOADER_CHECK(heap.expect(json.size() * sizeof(Value)));
            Values items;
            items.reserve(json.size());
            for (const Json& element : json) {
                LOADER_TRY(Value item, convert(element, fromTemplate, depth + 1));
                items.push_back(std::move(item));
            }
            return makeList(std::move(items));
        }
        case Json::value_t::object: {
            LOADER_CHECK(heap.expect(json.size() * sizeof(Entries::value_type)));
            Entries entries;
            entries.reserve(json.size());
            for (auto entry = json.begin(); entry != json.end(); ++entry) {
                LOADER_TRY(Value key, convertText(entry.key(), fromTemplate));
                LOADER_TRY(Value value, convert(entry.value(), fromTemplate, depth + 1));
                entries.emplace_back(std::move(key), std::move(value));
            }
            return makeDict(std::move(entries));
        }
        default: return Value::none(fromTemplate);
    }
}

}  // namespace loader::chat
