// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// QCOMPARE cannot take JSON: its overloads and the conversions of the JSON library do not get on.
#pragma once

#include <QDebug>
#include <nlohmann/json.hpp>

namespace loader::test {

/// QVERIFY(same(got, wanted)); shows both where they differ.
inline bool same(const nlohmann::ordered_json& got, const nlohmann::ordered_json& wanted) {
    if (got == wanted) return true;
    qWarning("got %s, wanted %s", got.dump().c_str(), wanted.dump().c_str());
    return false;
}

}  // namespace loader::test
