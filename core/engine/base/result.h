// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Result<T>: a value or an Error, never dropped in silence. LOADER_TRY and LOADER_CHECK hand errors on.
#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "core/engine/base/error.h"

namespace loader {

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : m_state(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : m_state(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return m_state.index() == 0; }
    explicit operator bool() const { return ok(); }

    const T& value() const& {
        assert(ok() && "value() of a failed Result");
        return *std::get_if<0>(&m_state);
    }
    T& value() & {
        assert(ok() && "value() of a failed Result");
        return *std::get_if<0>(&m_state);
    }
    T&& value() && {
        assert(ok() && "value() of a failed Result");
        return std::move(*std::get_if<0>(&m_state));
    }
    const T& operator*() const& { return value(); }
    T& operator*() & { return value(); }
    const T* operator->() const { return &value(); }
    T* operator->() { return &value(); }

    const Error& error() const& {
        assert(!ok() && "error() of a Result that succeeded");
        return *std::get_if<1>(&m_state);
    }
    Error&& error() && {
        assert(!ok() && "error() of a Result that succeeded");
        return std::move(*std::get_if<1>(&m_state));
    }

private:
    std::variant<T, Error> m_state;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : m_error(std::move(error)) {}

    bool ok() const { return !m_error.has_value(); }
    explicit operator bool() const { return ok(); }
    const Error& error() const& {
        assert(!ok() && "error() of a Status that succeeded");
        return *m_error;
    }
    Error&& error() && {
        assert(!ok() && "error() of a Status that succeeded");
        return std::move(*m_error);
    }

private:
    std::optional<Error> m_error;
};

using Status = Result<void>;

/// The only way to drop an error: the reason is mandatory and can be searched for.
template <class T>
void ignoreErrorBecause(const char* reason, const Result<T>& result) {
    static_cast<void>(reason);
    static_cast<void>(result);
}

}  // namespace loader

#define LOADER_CONCAT_INNER(a, b) a##b
#define LOADER_CONCAT(a, b) LOADER_CONCAT_INNER(a, b)
#define LOADER_TRY_INNER(temporary, declaration, expression)  \
    auto temporary = (expression);                            \
    if (!temporary.ok()) return std::move(temporary).error(); \
    declaration = std::move(temporary).value()
/// LOADER_TRY(auto header, readHeader(file)); declares header, or returns the error.
#define LOADER_TRY(declaration, expression) \
    LOADER_TRY_INNER(LOADER_CONCAT(loaderTry, __COUNTER__), declaration, expression)
/// LOADER_CHECK(validate(header)); returns the error, if any.
#define LOADER_CHECK(expression)                                      \
    do {                                                              \
        auto loaderCheck = (expression);                              \
        if (!loaderCheck.ok()) return std::move(loaderCheck).error(); \
    } while (false)
