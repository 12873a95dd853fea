// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <set>

#include "core/app/config/setting_list.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/ollama/parameters.h"
#include "plugins/importers/ollama/readers.h"

namespace loader::importers::ollama {
namespace {

constexpr std::size_t kManifestDepth = 4;
constexpr std::size_t kDigestLength = 64;

/// "model" of "application/vnd.ollama.image.model".
std::string kindOf(const Json& layer) {
    const auto type = layer.find("mediaType");
    if (type == layer.end() || !type->is_string()) return {};
    const auto& text = type->get_ref<const std::string&>();
    return text.substr(text.rfind('.') + 1);
}

std::string digestOf(const Json& layer) {
    const auto digest = layer.find("digest");
    return digest != layer.end() && digest->is_string() ? digest->get<std::string>() : std::string();
}

std::string reasonOf(const std::string& kind) {
    if (kind == "template") return "The template of the model's own file is used";
    if (kind == "license") return "The licence is that of the model's publisher";
    if (kind == "adapter") return "Adapters cannot be loaded yet";
    if (kind == "tensor") return "It is a part of a model that is no GGUF file, and cannot be loaded";
    return "This kind of layer is not known";
}

class ManifestReader {
public:
    ManifestReader(const std::string& store, app::ImportSink& sink) : m_store(store), m_sink(sink) {}

    void read(const std::string& relative) {
        const std::string file = joined(joined(m_store, "manifests"), relative);
        m_name = modelNameOf(relative);
        if (m_name.empty()) return m_sink.ignored({file, {}}, nullptr, "It is no manifest");
        auto bytes = app::readSmallFile(file);
        auto parsed = bytes ? app::parseJson(*bytes) : Result<app::JsonText>(std::move(bytes).error());
        if (!parsed) return m_sink.invalid({file, {}}, nullptr, parsed.error().message());
        const KeyWalk walk(file, m_sink);
        const Json& document = parsed->document;
        if (!document.is_object()) return walk.invalid({}, document, "It is no manifest");
        findOwner(document);
        for (const auto& [key, value] : document.items()) {
            if (key == "layers" && value.is_array()) {
                readLayers(walk, value);
            } else {
                walk.ignore(key, value, "It describes the manifest");
            }
        }
        walk.repeated(*parsed);
    }

private:
    std::string blobOf(const Json& layer) const {
        const std::string blob = blobNameOf(digestOf(layer));
        return blob.empty() ? std::string() : joined(joined(m_store, "blobs"), blob);
    }

    void findOwner(const Json& document) {
        m_owner = app::SettingOwner::preset(m_name);
        m_model = {};
        const auto layers = document.find("layers");
        if (layers == document.end() || !layers->is_array()) return;
        for (const Json& layer : *layers) {
            if (!layer.is_object()) continue;
            const std::string kind = kindOf(layer);
            if (kind == "projector") m_model.projector = blobOf(layer);
            if (kind != "model" || !m_model.path.empty()) continue;
            m_model.path = blobOf(layer);
            m_model.name = m_name;
            if (!m_model.path.empty()) m_model.sha256 = digestOf(layer).substr(7);
        }
        // The same weights under another name: its values are a preset of that name.
        const bool first = !m_model.path.empty() && m_seen.insert(m_model.path).second;
        if (first) m_owner = app::SettingOwner::model(m_model.path);
    }

    void readLayers(const KeyWalk& walk, const Json& layers) {
        if (layers.empty()) return walk.ignore("layers", layers, "It has no layers: it runs on a server");
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const std::string key = "layers[" + std::to_string(i) + "]";
            if (!layers[i].is_object()) {
                walk.invalid(key, layers[i], "It is no layer");
                continue;
            }
            for (const auto& [name, value] : layers[i].items()) {
                if (name == "digest") {
                    readLayer(walk, key + ".digest", layers[i]);
                } else {
                    walk.ignore(key + "." + name, value, "It describes the layer");
                }
            }
        }
    }

    void readLayer(const KeyWalk& walk, const std::string& key, const Json& layer) {
        const std::string kind = kindOf(layer);
        const std::string blob = blobOf(layer);
        const Json& digest = layer.at("digest");
        if (blob.empty()) return walk.invalid(key, digest, "It is no digest of a layer");
        if (kind == "model" || kind == "projector") return takeModel(walk, key, digest, kind, blob);
        if (kind == "params") return readParameters(walk, key, digest, blob);
        if (kind == "system") return readSystem(walk, key, digest, blob);
        if (kind == "messages") return readMessages(walk, key, digest, blob);
        walk.ignore(key, digest, reasonOf(kind));
    }

    void takeModel(const KeyWalk& walk, const std::string& key, const Json& digest, const std::string& kind,
                   const std::string& blob) {
        const bool missing = !isFile(blob);
        if (kind == "projector") {
            const bool alone = m_model.path.empty();
            return walk.ignore(key, digest, alone ? "It belongs to no model" : kOfTheModel);
        }
        const bool foreign = !missing && !isGguf(blob);
        if (foreign) return walk.ignore(key, digest, "It is no GGUF file, and cannot be loaded");
        app::ImportedModel model = m_model;
        model.path = blob;
        model.sha256 = digestOf({{"digest", digest}}).substr(7);
        m_sink.model(walk.at(key), model, missing ? "The file is missing at present" : "");
    }

    void readParameters(const KeyWalk& walk, const std::string& key, const Json& digest,
                        const std::string& blob) {
        auto bytes = app::readSmallFile(blob);
        auto parsed = bytes ? app::parseJson(*bytes) : Result<app::JsonText>(std::move(bytes).error());
        if (!parsed) return walk.invalid(key, digest, parsed.error().message());
        walk.ignore(key, digest, "It names the file of the parameters, which follow");
        const KeyWalk below(blob, m_sink);
        below.object(parameterRules(), {}, parsed->document, m_owner);
        below.repeated(*parsed);
    }

    void readSystem(const KeyWalk& walk, const std::string& key, const Json& digest,
                    const std::string& blob) {
        auto bytes = app::readSmallFile(blob);
        auto decoded =
            bytes ? app::decodedText(std::move(*bytes)) : Result<app::DecodedText>(std::move(bytes).error());
        if (!decoded) return walk.invalid(key, digest, decoded.error().message());
        walk.set(key, m_owner, app::settings::kChatSystemPrompt, Taken::set(decoded->text), digest);
    }

    void readMessages(const KeyWalk& walk, const std::string& key, const Json& digest,
                      const std::string& blob) {
        auto bytes = app::readSmallFile(blob);
        auto parsed = bytes ? app::parseJson(*bytes) : Result<app::JsonText>(std::move(bytes).error());
        if (!parsed) return walk.invalid(key, digest, parsed.error().message());
        m_sink.conversation(walk.at(key), exampleMessages(m_name, parsed->document),
                            "Messages that every chat with this model began with");
    }

    std::string m_store;
    app::ImportSink& m_sink;
    std::set<std::string> m_seen;
    std::string m_name;
    app::SettingOwner m_owner;
    app::ImportedModel m_model;
};

}  // namespace

std::string modelNameOf(std::string_view manifest) {
    std::vector<std::string> parts;
    while (!manifest.empty()) {
        const std::size_t slash = manifest.find('/');
        parts.emplace_back(manifest.substr(0, slash));
        manifest = slash == std::string_view::npos ? std::string_view() : manifest.substr(slash + 1);
    }
    if (parts.size() != kManifestDepth) return {};
    std::string name = parts[2] + ":" + parts[3];
    const bool usual = parts[0] == "registry.ollama.ai";
    if (!usual || parts[1] != "library") name.insert(0, parts[1] + "/");
    return usual ? name : parts[0] + "/" + name;
}

std::string blobNameOf(std::string_view digest) {
    constexpr std::string_view kBegin = "sha256:";
    if (digest.size() != kBegin.size() + kDigestLength || digest.substr(0, kBegin.size()) != kBegin)
        return {};
    const std::string_view hex = digest.substr(kBegin.size());
    if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
    return "sha256-" + std::string(hex);
}

app::ImportedConversation exampleMessages(const std::string& name, const Json& messages) {
    app::ImportedConversation chat;
    chat.identity = "ollama:" + name + ":messages";
    chat.title = name;
    chat.folder = "Ollama";
    if (!messages.is_array()) return chat;
    for (const Json& message : messages) {
        if (!message.is_object()) continue;
        const auto textAt = [&message](const char* key) {
            const auto found = message.find(key);
            return found != message.end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        app::ImportedMessage kept;
        kept.role = textAt("role");
        kept.text = textAt("content");
        if (!chat.messages.empty()) kept.parent = chat.messages.size() - 1;
        chat.messages.push_back(std::move(kept));
    }
    return chat;
}

Status readModelStore(const std::string& folder, app::ImportSink& sink, CancelToken cancel) {
    ManifestReader reader(folder, sink);
    for (const std::string& manifest : filesBelow(joined(folder, "manifests"), kManifestDepth)) {
        LOADER_CHECK(cancel.check());
        reader.read(manifest);
    }
    return {};
}

}  // namespace loader::importers::ollama
