// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/measurement.h"

#include <QByteArray>
#include <QCryptographicHash>
#include <QFileInfo>
#include <algorithm>
#include <cstdio>

#include "core/app/benchmark/json_fields.h"
#include "core/engine/base/mapped_file.h"
#include "core/engine/base/thread_pool.h"

namespace loader::app {
namespace {

constexpr std::size_t kHashedBytes = std::size_t{1} << 20;
constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kMostAdapters = 16;
constexpr std::uint64_t kMemoryStepMib = 256;

std::string adapterName(const AdapterFacts& adapter) {
    char numbers[32];
    std::snprintf(numbers, sizeof numbers, "0x%04x", adapter.deviceId);
    return (adapter.vendor.empty() ? "unknown" : adapter.vendor) + " " + numbers;
}

bool isDigest(const std::string& text) {
    return text.size() == kDigestDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Json machineJson(const MachineIdentity& machine) {
    return {{"processor", machine.processor},
            {"cores", machine.cores},
            {"threads", machine.threads},
            {"memory_mib", machine.memoryMib},
            {"adapters", machine.adapters}};
}

Result<MachineIdentity> machineFromJson(const Json& json) {
    JsonFields fields(json, "machine");
    MachineIdentity machine;
    machine.processor = fields.text("processor");
    machine.cores = fields.smallCount("cores");
    machine.threads = fields.smallCount("threads");
    machine.memoryMib = fields.count("memory_mib");
    machine.adapters = fields.texts("adapters", kMostAdapters);
    LOADER_CHECK(fields.status());
    return machine;
}

Json workJson(const Workload& work) {
    return {{"prompt_tokens", work.promptTokens},
            {"generated_tokens", work.generatedTokens},
            {"depth", work.depth},
            {"keeps_cache", work.keepsCache}};
}

Result<Workload> workFromJson(const Json& json) {
    JsonFields fields(json, "work");
    Workload work;
    work.promptTokens = fields.smallCount("prompt_tokens");
    work.generatedTokens = fields.smallCount("generated_tokens");
    work.depth = fields.smallCount("depth");
    work.keepsCache = fields.flag("keeps_cache");
    LOADER_CHECK(fields.status());
    return work;
}

Json samplesJson(const std::vector<double>& samples) {
    const Spread spread = spreadOf(samples);
    return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}, {"samples", samples}};
}

std::vector<double> samplesOf(JsonFields& fields, std::string_view key) {
    JsonFields part(fields.object(key), std::string(key));
    std::vector<double> samples = part.figures("samples");
    fields.take(part.status());
    return samples;
}

template <class T>
void takeInto(T& place, Result<T> part, JsonFields& fields) {
    if (part.ok())
        place = std::move(part).value();
    else
        fields.take(Status(std::move(part).error()));
}

const char* kvName(graph::KvType type) {
    switch (type) {
        case graph::KvType::F16: return "f16";
        case graph::KvType::Q8_0: return "q8_0";
        case graph::KvType::F32: break;
    }
    return "f32";
}

}  // namespace

Result<ModelIdentity> identityOf(const std::string& path) {
    LOADER_TRY(const auto file, FileSource::open(path));
    const std::uint64_t size = file->size();
    const std::size_t head = static_cast<std::size_t>(std::min<std::uint64_t>(size, kHashedBytes));
    const std::size_t tail = static_cast<std::size_t>(std::min<std::uint64_t>(size - head, kHashedBytes));
    std::string bytes(head + tail, '\0');
    const auto all = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
    LOADER_CHECK(file->read(0, all.first(head)));
    LOADER_CHECK(file->read(size - tail, all.subspan(head)));
    const QByteArray hash =
        QCryptographicHash::hash(QByteArray::fromStdString(bytes), QCryptographicHash::Sha256);
    const QFileInfo place(QString::fromStdString(path));
    return ModelIdentity{plainText(place.fileName().toStdString()), size, hash.toHex().toStdString()};
}

Json modelJson(const ModelIdentity& model) {
    return {{"file", model.file}, {"bytes", model.bytes}, {"digest", model.digest}};
}

Result<ModelIdentity> modelFromJson(const Json& json) {
    JsonFields fields(json, "model");
    ModelIdentity model;
    model.file = fields.text("file");
    model.bytes = fields.count("bytes");
    model.digest = fields.text("digest");
    LOADER_CHECK(fields.status());
    if (!isDigest(model.digest)) return Error(Errc::C501, {"model.digest is no SHA-256"});
    return model;
}

MachineIdentity machineOf(const CpuFacts& cpu, const MemoryFacts& memory,
                          const std::vector<AdapterFacts>& adapters) {
    MachineIdentity machine;
    machine.processor = plainText(cpu.model.empty() ? cpu.vendor : cpu.model);
    machine.cores = usableCores(cpu.share);
    machine.threads = cpu.share.allowedThreads;
    const std::uint64_t mib = memory.total >> 20;
    machine.memoryMib = (mib + kMemoryStepMib / 2) / kMemoryStepMib * kMemoryStepMib;
    for (const AdapterFacts& adapter : adapters)
        machine.adapters.push_back(plainText(adapterName(adapter)));
    std::sort(machine.adapters.begin(), machine.adapters.end());
    if (machine.adapters.size() > kMostAdapters) machine.adapters.resize(kMostAdapters);
    return machine;
}

MachineIdentity thisMachine() {
    return machineOf(readCpuFacts(), readMemoryFacts(), readAdapters());
}

RunSettings settingsOf(const protocol::LoadRequest& request, const protocol::LoadReport& report) {
    RunSettings settings;
    settings.backend = plainText(report.backend);
    settings.device = plainText(report.device);
    settings.threads = report.threads;
    settings.contextTokens = report.contextTokens;
    settings.batchTokens = request.batchTokens;
    settings.kv = kvName(request.kv);
    settings.gpuLayers = report.gpuLayers;
    settings.mmap = request.useMmap;
    return settings;
}

Json settingsJson(const RunSettings& settings) {
    return {{"backend", plainText(settings.backend)},
            {"device", plainText(settings.device)},
            {"driver", plainText(settings.driver)},
            {"threads", settings.threads},
            {"context", settings.contextTokens},
            {"batch", settings.batchTokens},
            {"kv", settings.kv},
            {"gpu_layers", settings.gpuLayers},
            {"mmap", settings.mmap}};
}

Result<RunSettings> settingsFromJson(const Json& json) {
    JsonFields fields(json, "settings");
    RunSettings settings;
    settings.backend = fields.text("backend");
    settings.device = fields.text("device");
    settings.driver = fields.text("driver");
    settings.threads = fields.smallCount("threads");
    settings.contextTokens = fields.smallCount("context");
    settings.batchTokens = fields.smallCount("batch");
    settings.kv = fields.text("kv");
    settings.gpuLayers = fields.smallCount("gpu_layers");
    settings.mmap = fields.flag("mmap");
    LOADER_CHECK(fields.status());
    return settings;
}

bool Measurement::sameWork(const Measurement& other) const {
    return model.sameModel(other.model) && machine == other.machine && work == other.work;
}

Json measurementJson(const Measurement& measurement) {
    return {
        {"schema", kMeasurementSchema},
        {"kind", "measurement"},
        {"time", timeText(measurement.time)},
        {"version", measurement.version},
        {"model", modelJson(measurement.model)},
        {"machine", machineJson(measurement.machine)},
        {"settings", settingsJson(measurement.settings)},
        {"work", workJson(measurement.work)},
        {"prompt_tokens_per_second", samplesJson(measurement.prompt)},
        {"generation_tokens_per_second", samplesJson(measurement.generation)},
        {"load_ms", samplesJson(measurement.loadMs)},
        {"first_token_ms", samplesJson(measurement.firstTokenMs)},
        {"peak_memory_bytes", measurement.peakMemoryBytes},
        {"gpu_busy_percent", measurement.gpuBusyPercent ? Json(*measurement.gpuBusyPercent) : Json(nullptr)}};
}

Result<Measurement> measurementFromJson(const Json& json) {
    JsonFields fields(json, "measurement");
    const std::uint64_t schema = fields.count("schema");
    LOADER_CHECK(fields.status());
    if (schema > kMeasurementSchema)
        return Error(Errc::D302, {std::to_string(schema), std::to_string(kMeasurementSchema)});
    Measurement measurement;
    if (fields.text("kind") != "measurement") return Error(Errc::C501, {"it is no measurement"});
    measurement.time = fields.time("time");
    measurement.version = fields.text("version");
    takeInto(measurement.model, modelFromJson(fields.object("model")), fields);
    takeInto(measurement.machine, machineFromJson(fields.object("machine")), fields);
    takeInto(measurement.settings, settingsFromJson(fields.object("settings")), fields);
    takeInto(measurement.work, workFromJson(fields.object("work")), fields);
    measurement.prompt = samplesOf(fields, "prompt_tokens_per_second");
    measurement.generation = samplesOf(fields, "generation_tokens_per_second");
    measurement.loadMs = samplesOf(fields, "load_ms");
    measurement.firstTokenMs = samplesOf(fields, "first_token_ms");
    measurement.peakMemoryBytes = fields.count("peak_memory_bytes");
    measurement.gpuBusyPercent = fields.figureOrNull("gpu_busy_percent");
    LOADER_CHECK(fields.status());
    return measurement;
}

}  // namespace loader::app
