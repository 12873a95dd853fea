// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The settings of one model as the configuration keeps them.
#pragma once

#include "core/app/benchmark/applied_settings.h"
#include "core/app/config/config_store.h"

namespace loader::app {

/// @thread confined to one thread; the store must outlive it
class ConfigModelSettings final : public ModelSettings {
public:
    ConfigModelSettings(ConfigStore& store, const std::string& path)
        : m_store(store), m_owner(SettingOwner::model(ConfigStore::modelKey(path))) {}

    std::string name() const override { return m_owner.name; }
    std::optional<Json> get(std::string_view key) const override {
        const SettingValues values = m_store.values(m_owner);
        const Json* value = values.find(key);
        return value ? std::optional<Json>(*value) : std::nullopt;
    }
    Status set(std::string_view key, const Json& value) override { return m_store.set(m_owner, key, value); }
    Status reset(std::string_view key) override { return m_store.reset(m_owner, key); }
    Status save() override { return m_store.save(); }

private:
    ConfigStore& m_store;
    SettingOwner m_owner;
};

}  // namespace loader::app
