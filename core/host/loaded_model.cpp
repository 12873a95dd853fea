// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/loaded_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "core/engine/base/memory_facts.h"
#include "core/engine/gguf/keys.h"

namespace loader::host {
namespace {

/// The devices to try, in order. Where no back end is named, a device that one does not have is none of its
/// business: the last link must not be missing.
Result<std::vector<backend::DeviceFacts>> devicesOf(backend::Backend& backend, const LoadRequest& request) {
    if (request.device.empty()) return backend.devices();
    auto device = backend.device(request.device);
    if (device.ok()) return std::vector<backend::DeviceFacts>{std::move(device).value()};
    if (request.backend == "auto" && device.error().code() == Errc::X001) return backend.devices();
    return std::move(device).error();
}

/// Why a link counts as loaded, in words.
std::string successText(const ChainLink& link, const LoadedLink& loaded, const LoadRequest& request) {
    std::string text = "a test token came out";
    if (loaded.selfTest) {
        char numbers[64];
        std::snprintf(numbers, sizeof numbers, "error %.2g, %.0f ms", loaded.selfTest->largestError,
                      loaded.selfTest->milliseconds);
        text += "; the device passed its self-test (" + std::string(numbers) + ")";
    }
    const bool wantedGpu = request.gpuLayers.kind != GpuLayers::Kind::Auto && !request.gpuLayers.none();
    if (!loaded.splitWith.empty()) {
        text += "; the first layers are on " + loaded.splitWith;
    } else if (wantedGpu && isProcessor(link.device)) {
        text += "; it has no GPU, so all layers are here";
    }
    return text;
}

}  // namespace

Result<std::unique_ptr<ModelText>> readModelText(const gguf::Metadata& metadata) {
    const bool named = metadata.contains(gguf::keys::kTokenizerModel);
    if (!named && !metadata.contains(gguf::keys::kTokens)) return std::unique_ptr<ModelText>();
    // Files made for tests by id carry the name "none" and no list.
    if (metadata.text(gguf::keys::kTokenizerModel).value_or("") == "none")
        return std::unique_ptr<ModelText>();
    LOADER_TRY(auto vocabulary, text::Vocabulary::fromMetadata(metadata));
    return std::make_unique<ModelText>(std::move(vocabulary));
}

Result<chat::Template> compileModelTemplate(const gguf::Metadata& metadata) {
    const auto source = metadata.text(gguf::keys::kChatTemplate);
    if (!source) return Error(Errc::J413, {}, std::string(gguf::keys::kChatTemplate));
    auto compiled = chat::Template::compile(*source);
    if (!compiled.ok()) return std::move(compiled).error().within(gguf::keys::kChatTemplate);
    return compiled;
}

LoadedModel::~LoadedModel() = default;

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const LoadRequest& request, BackendRegistry& registry,
                                                       backend::Progress* progress, CancelToken cancel) {
    LOADER_TRY(auto file, gguf::ModelFile::open(request.path));
    return load(std::move(file), request, registry, progress, cancel);
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(std::unique_ptr<gguf::ModelFile> file,
                                                       const LoadRequest& request, BackendRegistry& registry,
                                                       backend::Progress* progress, CancelToken cancel) {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t before = residentBytes();
    auto model = std::unique_ptr<LoadedModel>(new LoadedModel());
    model->m_file = std::move(file);
    model->m_request = request;
    model->m_report.overrides = request.overrides;
    LOADER_CHECK(model->open(progress, cancel));
    LOADER_CHECK(model->walkChain(registry, progress, cancel));
    const std::uint64_t after = residentBytes();
    model->m_report.measuredBytes = after > before ? after - before : 0;
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    model->m_report.loadMilliseconds = elapsed.count();
    return model;
}

Status LoadedModel::open(backend::Progress* progress, CancelToken cancel) {
    auto lowered = arch::lower(m_file->metadata(), m_file->tensors(), m_request.architecture);
    if (!lowered.ok()) return std::move(lowered).error().within(m_request.path);
    m_program = std::move(lowered->program);
    auto words = readModelText(m_file->metadata());
    if (!words.ok()) return std::move(words).error().within(m_request.path);
    m_text = std::move(words).value();

    m_report.warnings = m_file->warnings();
    m_report.warnings.insert(m_report.warnings.end(), lowered->warnings.begin(), lowered->warnings.end());
    if (m_text) {
        const auto& odd = m_text->vocabulary->warnings();
        m_report.warnings.insert(m_report.warnings.end(), odd.begin(), odd.end());
    }
    LOADER_CHECK(chooseContext());
    LOADER_TRY(m_weights, ModelWeights::open(*m_file, m_program, {m_request.useMmap, m_request.lockMemory},
                                             progress, cancel));
    m_report.mapEffect = m_weights->mapEffect();
    m_report.lockEffect = m_weights->lockEffect();
    return {};
}

Status LoadedModel::chooseContext() {
    std::uint32_t context = m_request.contextTokens;
    if (context == 0) {
        const std::uint32_t trained = m_program.trainedContext;
        context = trained != 0 ? std::min(trained, kDefaultContextTokens) : kDefaultContextTokens;
        if (m_program.positionLimit != 0) context = std::min(context, m_program.positionLimit);
    }
    if (m_program.positionLimit != 0 && context > m_program.positionLimit) {
        return Error(Errc::X001,
                     {"This model cannot have a context of " + std::to_string(context) +
                      " tokens; it has positions for " + std::to_string(m_program.positionLimit) + "."});
    }
    m_report.contextTokens = context;
    return {};
}

Status LoadedModel::walkChain(BackendRegistry& registry, backend::Progress* progress, CancelToken cancel) {
    std::vector<std::string> chain = {m_request.backend};
    if (m_request.backend == "auto") chain = registry.automaticOrder();
    LinkLoader loader(m_program, m_weights->weights(), m_request, m_report.contextTokens, registry);
    std::optional<Error> last;
    for (const std::string& id : chain) {
        // Not even its library is opened where no layer may be on a GPU.
        if (m_request.backend == "auto" && m_request.gpuLayers.none() && registry.isGpuOnly(id)) {
            m_report.steps.push_back({id, "", 0, "refused", "no layer may be on a GPU"});
            continue;
        }
        auto outcome = tryBackend(loader, registry, id, progress, cancel);
        if (outcome.ok()) return {};
        last = std::move(outcome).error();
        // Asked to stop, or the file itself is at fault: another back end cannot help.
        const ErrorKind kind = last->kind();
        if (kind == ErrorKind::Cancelled || last->code() == Errc::F801) break;
    }
    return *last;
}

Error LoadedModel::note(const Error& error, const std::string& id, const std::string& device,
                        std::uint32_t layers, const char* result) {
    m_report.steps.push_back({id, device, layers, result, error.toString()});
    return error;
}

Status LoadedModel::tryBackend(LinkLoader& loader, BackendRegistry& registry, const std::string& id,
                               backend::Progress* progress, CancelToken cancel) {
    auto opened = registry.open(id);
    if (!opened.ok()) return note(opened.error(), id, "", 0, "refused");
    backend::Backend& backend = *opened.value();
    // What no device changes is asked first: listing devices may load drivers.
    auto able = loader.checkBackend(backend);
    if (!able.ok()) return note(able.error(), id, "", 0, "refused");
    auto devices = devicesOf(backend, m_request);
    if (!devices.ok()) return note(devices.error(), id, m_request.device, 0, "failed");
    const Error none(Errc::B703, {id, "it has no device that may be used"});
    bool refused = false;
    std::optional<Error> last;
    for (const backend::DeviceFacts& device : *devices) {
        if (!isProcessor(device) && m_request.gpuLayers.none()) continue;
        // A driver that pretends to be a card: the processor's own back end is faster.
        if (isProcessor(device) && registry.isGpuOnly(id) && m_request.backend == "auto") {
            m_report.steps.push_back(
                {id, device.id, 0, "refused", "it is no GPU; it is used only when it is named"});
            refused = true;
            continue;
        }
        auto outcome = tryDevice(loader, {&backend, device, loader.layersFor(device)}, progress, cancel);
        if (outcome.ok()) return {};
        last = std::move(outcome).error();
        if (last->kind() == ErrorKind::Cancelled) break;
    }
    if (last) return *last;
    // The report already says why.
    return refused ? none : note(none, id, "", 0, "refused");
}

Status LoadedModel::tryDevice(LinkLoader& loader, ChainLink link, backend::Progress* progress,
                              CancelToken cancel) {
    while (true) {
        auto outcome = tryLink(loader, link, progress, cancel);
        if (outcome.ok()) return {};
        const bool whole = isProcessor(link.device) && link.layers >= m_program.layers;
        const Error last =
            note(outcome.error(), link.backend->id(), link.device.id, whole ? 0 : link.layers, "failed");
        // Nobody asked for this number of layers, so that fewer will do.
        const bool may = m_request.gpuLayers.kind == GpuLayers::Kind::Auto && !isProcessor(link.device) &&
                         last.code() == Errc::R901;
        link.layers = may ? loader.fewerLayers(link) : 0;
        if (link.layers == 0) return last;
    }
}

Status LoadedModel::tryLink(LinkLoader& loader, const ChainLink& link, backend::Progress* progress,
                            CancelToken cancel) {
    LOADER_TRY(LoadedLink loaded, loader.load(link, progress, cancel));
    LOADER_CHECK(testToken(*loaded.session, cancel));
    take(link, std::move(loaded));
    return {};
}

void LoadedModel::take(const ChainLink& link, LoadedLink loaded) {
    const backend::LoadEffects effects = loaded.model->effects();
    m_report.backend = link.backend->id();
    m_report.device = link.device.id;
    m_report.gpuLayers = loaded.gpuLayers;
    m_report.splitWith = loaded.splitWith;
    m_report.tier = effects.tier;
    m_report.threads = effects.threads;
    m_report.estimatedBytes = loaded.estimatedBytes;
    m_report.steps.push_back({m_report.backend, m_report.device, loaded.gpuLayers, "loaded",
                              successText(link, loaded, m_request)});
    m_model = std::move(loaded.model);
    m_session = std::move(loaded.session);
}

Status LoadedModel::testToken(backend::Session& session, CancelToken cancel) const {
    backend::BatchItem item;
    item.token = 0;
    if (m_text && m_text->vocabulary->special().bos)
        item.token = static_cast<TokenId>(*m_text->vocabulary->special().bos);
    item.wantsOutput = true;
    backend::OutputRequest request;
    request.kind = backend::OutputKind::TopTokens;
    request.top = 1;
    backend::ForwardOutput out;
    LOADER_CHECK(session.forward({&item, 1}, request, out, cancel));
    LOADER_CHECK(checkDamage());
    const bool usable =
        !out.top.empty() && out.top.front().token != kNoToken && std::isfinite(out.top.front().logit);
    if (!usable) return Error(Errc::M132, {"0"}, m_request.path);
    LOADER_TRY(const std::uint32_t reached, session.truncate(0, 0));
    if (reached != 0) return Error(Errc::X003, {"a sequence could not be emptied"});
    return {};
}

Result<const ModelText*> LoadedModel::text() const {
    if (!m_text)
        return Error(Errc::T201, {"the file has none; it can only be used by token id"}, m_request.path);
    return static_cast<const ModelText*>(m_text.get());
}

Result<const chat::Template*> LoadedModel::chatTemplate() {
    if (!m_template) {
        auto compiled = compileModelTemplate(m_file->metadata());
        if (!compiled.ok()) return std::move(compiled).error();
        m_template.emplace(std::move(compiled).value());
    }
    return static_cast<const chat::Template*>(&*m_template);
}

std::string LoadedModel::name() const {
    const auto given = m_file->metadata().text(gguf::keys::kName);
    if (given && !given->empty()) return std::string(*given);
    const std::size_t slash = m_request.path.find_last_of("/\\");
    return slash == std::string::npos ? m_request.path : m_request.path.substr(slash + 1);
}

Status LoadedModel::checkDamage() const {
    if (m_weights && m_weights->damaged()) return Error(Errc::F801, {}, m_request.path);
    return {};
}

}  // namespace loader::host
