// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where the names come from (repository hussainnazary2/LLM-Toolkit): the settings in front of version 1.0.0
// and the new form from docs/migration_guide.md; application configuration app/models/app_config.py; back
// ends app/core/backend_config_manager.py, app/core/config_migration_tools.py and docs/backend_system.md;
// version 2 docs/migration_guide_v2.md; measurements app/core/performance_optimizer.py. Position of the
// floating button: GGUFloader/gguf-loader, addons/floating_chat/main.py.

#include "plugins/importers/gguf-loader-app/key_table.h"

#include <algorithm>
#include <array>

#include "plugins/importers/gguf-loader-app/plan.h"

namespace loader::app::ggufloader {
namespace {

constexpr std::string_view kFormNote = "it tells the form of the file";
constexpr std::string_view kMeasured = "this program measures what suits the machine";
constexpr std::string_view kAddOns = "add-ons of the old program do not run here";
constexpr std::string_view kOtherEngine = "it is for an engine that runs no GGUF files";
constexpr std::string_view kLimits = "every step of a load has its own limit of time here";

constexpr std::array kRows = {
    // The settings of the first engine, at the top or as arguments of a back end.
    KeyRow{Scope::Top, "model_path", Way::DefaultModel, "models.default", rank::kTop, ""},
    KeyRow{Scope::Top, "n_gpu_layers", Way::LayersAll, "load.gpu_layers", rank::kTop, ""},
    KeyRow{Scope::Top, "n_ctx", Way::Context, "load.context", rank::kTop, ""},
    KeyRow{Scope::Top, "n_batch", Way::Number, "load.batch", rank::kTop, ""},
    KeyRow{Scope::Top, "n_threads", Way::Threads, "load.threads", rank::kTop, ""},
    KeyRow{Scope::Top, "use_mlock", Way::Bool, "load.mlock", rank::kTop, ""},
    KeyRow{Scope::Top, "use_mmap", Way::Bool, "load.mmap", rank::kTop, ""},
    // Version 2 and settings files of users.
    KeyRow{Scope::Top, "gpu_layers", Way::LayersAuto, "load.gpu_layers", rank::kTop, ""},
    KeyRow{Scope::Top, "context_size", Way::Context, "load.context", rank::kTop, ""},
    KeyRow{Scope::Top, "batch_size", Way::Number, "load.batch", rank::kTop, ""},
    KeyRow{Scope::Top, "threads", Way::Threads, "load.threads", rank::kTop, ""},
    KeyRow{Scope::Top, "backend", Way::Preferred, "load.backend", rank::kPreferredBackend, ""},
    KeyRow{Scope::Top, "backend_preference", Way::Preferred, "load.backend", rank::kPreferredBackend, ""},
    KeyRow{Scope::Top, "default_backend", Way::Preferred, "load.backend", rank::kPreferredBackend, ""},
    KeyRow{Scope::Top, "model_directory", Way::Folder, "models.folders", 0, ""},
    KeyRow{Scope::Top, "addon_settings", Way::Nothing, "", 0, kAddOns},
    KeyRow{Scope::Top, "addons", Way::Nothing, "", 0, kAddOns},
    KeyRow{Scope::Top, "ui", Way::Object, "", 0, ""},
    KeyRow{Scope::Top, "paths", Way::Object, "", 0, ""},
    // Back ends.
    KeyRow{Scope::Top, "version", Way::Version, "", 0, kFormNote},
    KeyRow{Scope::Top, "preferred_backend", Way::Preferred, "load.backend", rank::kPreferredBackend, ""},
    KeyRow{Scope::Top, "gpu_enabled", Way::Gpu, "load.backend", rank::kDefault, ""},
    KeyRow{Scope::Top, "use_gpu", Way::Gpu, "load.backend", rank::kDefault, ""},
    KeyRow{Scope::Top, "gpu_preference", Way::GpuWord, "load.backend", rank::kDefault, ""},
    KeyRow{Scope::Top, "fallback_enabled", Way::Bool, "load.fallback", rank::kTop, ""},
    KeyRow{Scope::Top, "fallback_order", Way::Order, "load.fallback_order", rank::kExplicit, ""},
    KeyRow{Scope::Top, "custom_fallback_order", Way::Order, "load.fallback_order", rank::kExplicit, ""},
    KeyRow{Scope::Top, "backends", Way::Backends, "", 0, ""},
    KeyRow{Scope::Top, "backend_configs", Way::Backends, "", 0, ""},
    KeyRow{Scope::Top, "preferences", Way::Object, "", 0, ""},
    KeyRow{Scope::Top, "hardware_overrides", Way::Nothing, "", 0, kMeasured},
    KeyRow{Scope::Top, "last_modified", Way::Nothing, "", 0, "it is the time at which the file was written"},
    // The application.
    KeyRow{Scope::Top, "theme", Way::Theme, "window.theme", rank::kTop, ""},
    KeyRow{Scope::Top, "window_size", Way::WindowSize, "", 0, ""},
    KeyRow{Scope::Top, "window_position", Way::Position, "window.position", rank::kTop, ""},
    KeyRow{Scope::Top, "window_maximized", Way::Bool, "window.maximised", rank::kTop, ""},
    KeyRow{Scope::Top, "default_model_dir", Way::Folder, "models.folders", 0, ""},
    KeyRow{Scope::Top, "recent_models", Way::Paths, "models.recent", 0, ""},
    KeyRow{Scope::Top, "max_recent_models", Way::Number, "models.recent_limit", rank::kTop, ""},
    KeyRow{Scope::Top, "log_level", Way::LogLevel, "log.level", rank::kTop, ""},
    KeyRow{Scope::Top, "use_hardware_acceleration", Way::Gpu, "load.backend", rank::kDefault, ""},
    KeyRow{Scope::Top, "max_memory_usage", Way::Number, "load.memory_limit", rank::kTop, ""},
    KeyRow{Scope::Top, "default_temperature", Way::Number, "sampling.temperature", rank::kTop, ""},
    KeyRow{Scope::Top, "default_max_tokens", Way::Number, "answer.max_tokens", rank::kTop, ""},
    KeyRow{Scope::Top, "default_system_prompt", Way::Text, "chat.system_prompt", rank::kTop, ""},
    KeyRow{Scope::Top, "ai_settings", Way::Object, "", 0, ""},
    KeyRow{Scope::Top, "backend_config_path", Way::Nothing, "", 0,
           "the file that it names is taken over where it is found, or with --from"},
    KeyRow{Scope::Top, "auto_optimize_backends", Way::Nothing, "", 0, kMeasured},
    KeyRow{Scope::Top, "backend_switching_mode", Way::Nothing, "", 0,
           "a model changes its back end here only when one fails"},
    // Measurements.
    KeyRow{Scope::Top, "model_profiles", Way::ModelProfiles, "", 0, ""},
    KeyRow{Scope::Top, "backend_profiles", Way::BackendProfiles, "", 0, ""},

    KeyRow{Scope::Answers, "temperature", Way::Number, "sampling.temperature", rank::kPreferredEntry, ""},
    KeyRow{Scope::Answers, "max_tokens", Way::Number, "answer.max_tokens", rank::kPreferredEntry, ""},
    KeyRow{Scope::Answers, "system_prompt", Way::Text, "chat.system_prompt", rank::kPreferredEntry, ""},
    KeyRow{Scope::Answers, "top_p", Way::Number, "sampling.top_p", rank::kPreferredEntry, ""},
    KeyRow{Scope::Answers, "top_k", Way::Number, "sampling.top_k", rank::kPreferredEntry, ""},
    KeyRow{Scope::Answers, "repeat_penalty", Way::Number, "sampling.repeat_penalty", rank::kPreferredEntry,
           ""},
    KeyRow{Scope::Answers, "repetition_penalty", Way::Number, "sampling.repeat_penalty", rank::kTop, ""},

    KeyRow{Scope::Preferences, "preferred_backend", Way::Preferred, "load.backend", rank::kPreferredBackend,
           ""},
    KeyRow{Scope::Preferences, "auto_fallback_enabled", Way::Bool, "load.fallback", rank::kPreferredEntry,
           ""},
    KeyRow{Scope::Preferences, "gpu_preference", Way::GpuWord, "load.backend", rank::kDefault, ""},
    KeyRow{Scope::Preferences, "performance_priority", Way::Nothing, "", 0, kMeasured},
    KeyRow{Scope::Preferences, "allow_experimental", Way::Nothing, "", 0,
           "every back end here has passed the same tests"},
    KeyRow{Scope::Preferences, "max_load_time", Way::Nothing, "", 0, kLimits},
    KeyRow{Scope::Preferences, "retry_failed_backends", Way::Nothing, "", 0,
           "a back end that failed is tried again with the next load"},
    KeyRow{Scope::Preferences, "notification_level", Way::Nothing, "", 0, "there are no such messages here"},

    KeyRow{Scope::Window, "theme", Way::Theme, "window.theme", rank::kPreferredEntry, ""},
    KeyRow{Scope::Folders, "model_directory", Way::Folder, "models.folders", 0, ""},

    KeyRow{Scope::Entry, "gpu_layers", Way::LayersAuto, "load.gpu_layers", 0, ""},
    KeyRow{Scope::Entry, "n_gpu_layers", Way::LayersAll, "load.gpu_layers", 0, ""},
    KeyRow{Scope::Entry, "context_size", Way::Context, "load.context", 0, ""},
    KeyRow{Scope::Entry, "context_length", Way::Context, "load.context", 0, ""},
    KeyRow{Scope::Entry, "n_ctx", Way::Context, "load.context", 0, ""},
    KeyRow{Scope::Entry, "batch_size", Way::Number, "load.batch", 0, ""},
    KeyRow{Scope::Entry, "n_batch", Way::Number, "load.batch", 0, ""},
    KeyRow{Scope::Entry, "threads", Way::Threads, "load.threads", 0, ""},
    KeyRow{Scope::Entry, "n_threads", Way::Threads, "load.threads", 0, ""},
    KeyRow{Scope::Entry, "use_mlock", Way::Bool, "load.mlock", 0, ""},
    KeyRow{Scope::Entry, "mlock", Way::Bool, "load.mlock", 0, ""},
    KeyRow{Scope::Entry, "use_mmap", Way::Bool, "load.mmap", 0, ""},
    KeyRow{Scope::Entry, "mmap", Way::Bool, "load.mmap", 0, ""},
    KeyRow{Scope::Entry, "temperature", Way::Number, "sampling.temperature", 0, ""},
    KeyRow{Scope::Entry, "top_p", Way::Number, "sampling.top_p", 0, ""},
    KeyRow{Scope::Entry, "top_k", Way::Number, "sampling.top_k", 0, ""},
    KeyRow{Scope::Entry, "repeat_penalty", Way::Number, "sampling.repeat_penalty", 0, ""},
    KeyRow{Scope::Entry, "repetition_penalty", Way::Number, "sampling.repeat_penalty", 0, ""},
    KeyRow{Scope::Entry, "seed", Way::Number, "sampling.seed", 0, ""},
    KeyRow{Scope::Entry, "gpu_enabled", Way::EntryGpu, "load.gpu_layers", 0, ""},
    KeyRow{Scope::Entry, "use_gpu", Way::EntryGpu, "load.gpu_layers", 0, ""},
    KeyRow{Scope::Entry, "metal_enabled", Way::EntryGpu, "load.gpu_layers", 0, ""},
    KeyRow{Scope::Entry, "priority", Way::Priority, "load.fallback_order", rank::kOtherEntry, ""},
    KeyRow{Scope::Entry, "enabled", Way::Nothing, "", 0,
           "the settings of a back end that is off give way to those of the others"},
    KeyRow{Scope::Entry, "name", Way::Nothing, "", 0, "it is the name of the entry once more"},
    KeyRow{Scope::Entry, "device_map", Way::Nothing, "", 0, kOtherEngine},
    KeyRow{Scope::Entry, "torch_dtype", Way::Nothing, "", 0, kOtherEngine},
    KeyRow{Scope::Entry, "supported_formats", Way::Nothing, "", 0, "every back end here runs GGUF files"},
    KeyRow{Scope::Entry, "custom_args", Way::Object, "", 0, ""},
    KeyRow{Scope::Entry, "args", Way::Object, "", 0, ""},

    KeyRow{Scope::Store, "button_position", Way::Position, "window.assistant_position", rank::kTop, ""},
    KeyRow{Scope::Store, "file_dialog/recent_files", Way::Paths, "models.recent", 0, ""},
    KeyRow{Scope::Store, "file_dialog/favorite_directories", Way::Paths, "models.folders", 0, ""},
};

}  // namespace

const KeyRow* findKey(Scope scope, std::string_view key) {
    const auto found = std::find_if(kRows.begin(), kRows.end(),
                                    [&](const KeyRow& row) { return row.scope == scope && row.key == key; });
    return found == kRows.end() ? nullptr : &*found;
}

bool isTopKey(std::string_view key) {
    return findKey(Scope::Top, key) != nullptr;
}

}  // namespace loader::app::ggufloader
