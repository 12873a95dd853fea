// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/loaded_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/engine/base/memory_facts.h"
#include "core/engine/gguf/keys.h"

namespace loader::host {
namespace {

bool isProcessor(const backend::DeviceFacts& device) {
    return device.kind == backend::DeviceKind::Cpu || device.kind == backend::DeviceKind::Virtual;
}

/// The longest context, in steps of 64 tokens, whose memory the back end says would fit.
std::uint32_t largestContext(backend::Backend& backend, const std::string& device,
                             const graph::Program& program, backend::LoadOptions options,
                             std::uint64_t fixedBytes, std::uint64_t available) {
    std::uint32_t fits = 0;
    std::uint32_t tooMany = options.contextTokens / 64 + 1;
    while (tooMany - fits > 1) {
        const std::uint32_t middle = fits + (tooMany - fits) / 2;
        options.contextTokens = middle * 64;
        const auto report = backend.plan(program, device, options);
        const bool ok =
            report.ok() &&
            report->needed.kv + report->needed.compute + report->needed.output + fixedBytes <= available;
        (ok ? fits : tooMany) = middle;
    }
    return fits * 64;
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
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t before = residentBytes();
    auto model = std::unique_ptr<LoadedModel>(new LoadedModel());
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
    LOADER_TRY(m_file, gguf::ModelFile::open(m_request.path));
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

backend::LoadOptions LoadedModel::loadOptions() const {
    backend::LoadOptions options;
    options.threads = m_request.threads;
    options.batchTokens = m_request.batchTokens;
    options.contextTokens = m_report.contextTokens;
    options.sequences = m_request.sequences;
    options.kv = m_request.kv;
    options.tier = m_request.tier;
    return options;
}

Status LoadedModel::walkChain(BackendRegistry& registry, backend::Progress* progress, CancelToken cancel) {
    std::vector<std::string> chain = {m_request.backend};
    if (m_request.backend == "auto") chain = registry.automaticOrder();
    std::optional<Error> last;
    for (const std::string& id : chain) {
        // Not even its library is opened where no layer may be on a GPU.
        if (m_request.backend == "auto" && m_request.gpuLayers.none() && registry.isGpuOnly(id)) {
            m_report.steps.push_back({id, "", "refused", "no layer may be on a GPU"});
            continue;
        }
        auto outcome = tryBackend(registry, id, progress, cancel);
        if (outcome.ok()) return {};
        last = std::move(outcome).error();
        // Asked to stop, or the file itself is at fault: another back end cannot help.
        const ErrorKind kind = last->kind();
        if (kind == ErrorKind::Cancelled || last->code() == Errc::F801) break;
    }
    return *last;
}

Status LoadedModel::tryBackend(BackendRegistry& registry, const std::string& id, backend::Progress* progress,
                               CancelToken cancel) {
    const auto fail = [this, &id](const Error& error, const std::string& device, const char* result) {
        m_report.steps.push_back({id, device, result, error.toString()});
        return error;
    };
    auto opened = registry.open(id);
    if (!opened.ok()) return fail(opened.error(), "", "refused");
    backend::Backend& backend = *opened.value();
    // What no device changes is asked first: listing devices may load drivers.
    auto plan = backend.plan(m_program, "", loadOptions());
    if (plan.ok() && !plan->unsupported.empty())
        return fail(Error(Errc::B702, {id, plan->unsupported.front()}), "", "refused");
    auto devices = backend.devices();
    if (!devices.ok()) return fail(devices.error(), "", "failed");
    std::optional<Error> last;
    for (const backend::DeviceFacts& device : *devices) {
        if (!isProcessor(device) && m_request.gpuLayers.none()) continue;
        auto outcome = tryDevice(backend, device, progress, cancel);
        if (outcome.ok()) return {};
        last = fail(outcome.error(), device.id, "failed");
        if (last->kind() == ErrorKind::Cancelled) break;
    }
    if (last) return *last;
    return fail(Error(Errc::B703, {id, "it has no device that may be used"}), "", "refused");
}

Status LoadedModel::tryDevice(backend::Backend& backend, const backend::DeviceFacts& device,
                              backend::Progress* progress, CancelToken cancel) {
    const backend::LoadOptions options = loadOptions();
    LOADER_TRY(const backend::PlanReport plan, backend.plan(m_program, device.id, options));
    if (!plan.unsupported.empty()) return Error(Errc::B702, {backend.id(), plan.unsupported.front()});
    LOADER_CHECK(checkMemory(backend, device, plan.needed));

    std::vector<std::uint32_t> segments(m_program.segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    LOADER_TRY(auto model,
               backend.load(m_program, m_weights->weights(), segments, device.id, options, progress, cancel));
    backend::SessionOptions sessionOptions;
    sessionOptions.contextTokens = m_report.contextTokens;
    sessionOptions.sequences = m_request.sequences;
    sessionOptions.kv = m_request.kv;
    LOADER_TRY(auto session, model->openSession(sessionOptions));
    LOADER_CHECK(testToken(*session, cancel));

    const backend::LoadEffects effects = model->effects();
    m_report.backend = backend.id();
    m_report.device = device.id;
    m_report.gpuLayers = isProcessor(device) ? 0 : m_program.layers;
    m_report.tier = effects.tier;
    m_report.threads = effects.threads;
    m_report.estimatedBytes =
        plan.needed.kv + plan.needed.compute + plan.needed.output + m_weights->totalBytes();
    const bool wantedGpu = m_request.gpuLayers.kind != GpuLayers::Kind::Auto && !m_request.gpuLayers.none();
    const bool refusedGpu = wantedGpu && isProcessor(device);
    m_report.steps.push_back({backend.id(), device.id, "loaded",
                              refusedGpu ? "a test token came out; it has no GPU, so all layers are here"
                                         : "a test token came out"});
    m_model = std::move(model);
    m_session = std::move(session);
    return {};
}

Status LoadedModel::checkMemory(backend::Backend& backend, const backend::DeviceFacts& device,
                                const backend::MemoryParts& needed) const {
    // A mapped file takes no memory of its own: its pages can be dropped and read again.
    if (!isProcessor(device)) return {};
    const std::uint64_t own = needed.kv + needed.compute + needed.output;
    const auto available = availableMemory();
    if (!available || own <= available->bytes) return {};
    const std::uint32_t fits =
        largestContext(backend, device.id, m_program, loadOptions(), 0, available->bytes);
    if (fits == 0) return Error(Errc::R901, {sizeText(own)}, available->source);
    return Error(Errc::M140,
                 {std::to_string(m_report.contextTokens), sizeText(own), sizeText(available->bytes),
                  std::to_string(fits)},
                 available->source);
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
