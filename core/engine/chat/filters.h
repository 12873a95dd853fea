// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Filters and tests: closed tables, one per group. Each filter is listed at the end of its file.
#pragma once

#include <string_view>

#include "core/engine/chat/runtime.h"

namespace loader::chat {

using FilterFunction = Result<Value> (*)(Runtime&, const Value&, const Arguments&);
using TestFunction = Result<bool> (*)(Runtime&, const Value&, const Arguments&);

struct FilterRow {
    std::string_view name;
    FilterFunction filter;
};

/// Null where there is no such filter or test.
FilterFunction findTextFilter(std::string_view name);
FilterFunction findListFilter(std::string_view name);
FilterFunction findOrderFilter(std::string_view name);
FilterFunction findValueFilter(std::string_view name);
TestFunction findTest(std::string_view name);

/// Follows "a.b.0" from a value; an integer is an index.
Result<Value> followPath(Runtime& runtime, const Value& value, const Value& path);
/// Text in lower case, everything else as it is: what case-insensitive filters compare.
Result<Value> foldCase(Runtime& runtime, const Value& value);
bool flagOf(const Arguments& arguments, std::size_t position, std::string_view name, bool otherwise);

}  // namespace loader::chat
