// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One JSON file of the old program, of whatever version: each key by its row of key_table.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/json_text.h"
#include "plugins/importers/gguf-loader-app/engines.h"
#include "plugins/importers/gguf-loader-app/key_table.h"
#include "plugins/importers/gguf-loader-app/plan.h"
#include "plugins/importers/gguf-loader-app/values.h"

namespace loader::app::ggufloader {

/// @thread confined to one thread
class DocumentReader {
public:
    DocumentReader(Plan& plan, Paths& paths, std::string file)
        : m_plan(plan), m_paths(paths), m_file(std::move(file)) {}

    void read(const JsonText& text);
    /// A value of a store of QSettings or of the registry.
    void readStored(const std::string& key, const Json& value);
    /// Every leaf below a value that nothing is known of. @param reason a sentence without its full stop
    void unknown(const std::string& path, std::string_view name, const Json& value, std::string_view reason);

private:
    /// Where a key stands.
    struct Place {
        Scope scope = Scope::Top;
        /// "backends.ctransformers."
        std::string prefix;
        /// Of the back end whose entry it is.
        const EngineEntry* engine = nullptr;
    };

    SourceKey source(std::string key) const { return {m_file, std::move(key)}; }
    void object(const Json& members, const Place& place);
    void member(const std::string& name, const Json& value, const Place& place);
    /// @param row with the rank that applies here
    void plain(const KeyRow& row, const SourceKey& from, const Json& value);
    void number(const KeyRow& row, const SourceKey& from, const Json& value);
    void layers(const KeyRow& row, const SourceKey& from, const Json& value);
    void word(const KeyRow& row, const SourceKey& from, const Json& value);
    void position(const KeyRow& row, const SourceKey& from, const Json& value);
    void windowSize(const SourceKey& from, const Json& value);
    void gpu(const KeyRow& row, const SourceKey& from, const Json& value);
    void preferred(const KeyRow& row, const SourceKey& from, const Json& value);
    void order(const KeyRow& row, const SourceKey& from, const Json& value);
    void defaultModel(const KeyRow& row, const SourceKey& from, const Json& value);
    void paths(const KeyRow& row, const SourceKey& from, const Json& value);
    void version(const SourceKey& from, const Json& value);
    void backends(const std::string& name, const Json& value);
    void modelProfiles(const std::string& name, const Json& value);
    void backendProfiles(const std::string& name, const Json& value);
    void measurement(const std::string& hash, const std::string& path, const Json& record);
    void wrongKind(const SourceKey& from, const Json& value, std::string_view wanted);

    Plan& m_plan;
    Paths& m_paths;
    std::string m_file;
    /// Of the document that is being read.
    const Json* m_document = nullptr;
    std::string m_preferred;
    /// The back ends that are on, by priority, as ours.
    std::vector<std::string> m_derivedOrder;
};

}  // namespace loader::app::ggufloader
