// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The device layer on this system's first device, a software one included: memory, uploads, pipelines, and
// what becomes of drivers that fail. Skipped where there is no device.

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "backends/vulkan/device/pipeline_store.h"
#include "backends/vulkan/device/weight_upload.h"
#include "core/engine/base/size_text.h"

using namespace loader;
using namespace loader::vulkan;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::string textOf(const Status& status) {
    return status.ok() ? "ok" : status.error().toString();
}

template <class T>
std::string textOf(const Result<T>& result) {
    return result.ok() ? "ok" : result.error().toString();
}

template <class T>
std::string codeOf(const Result<T>& result) {
    return result.ok() ? "ok" : std::string(result.error().name());
}

/// Bytes that differ from place to place and from seed to seed.
std::vector<std::byte> pattern(std::size_t count, std::uint32_t seed) {
    std::vector<std::byte> bytes(count);
    std::uint32_t state = seed * 2654435761u + 1;
    for (std::byte& one : bytes) {
        state = state * 1664525u + 1013904223u;
        one = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

FeatureSet without(std::initializer_list<DeviceFeature> features) {
    FeatureSet set;
    for (const DeviceFeature feature : features)
        set.set(feature);
    return set;
}

/// The functions of a device, so that a test can make one of them fail.
Dispatch& functionsOf(ComputeDevice& device) {
    return const_cast<Dispatch&>(device.dispatch());
}

/// Whether the data of its pipeline caches has the head that Vulkan prescribes.
bool keepsPipelines(ComputeDevice& device) {
    const auto cache = device.handle().createPipelineCacheUnique({}, nullptr, device.dispatch());
    return device.handle().getPipelineCacheData(*cache.value, device.dispatch()).value.size() >= 32;
}

VkResult g_answer = VK_SUCCESS;

VkResult VKAPI_CALL failSubmit(VkQueue, std::uint32_t, const VkSubmitInfo*, VkFence) {
    return g_answer;
}
VkResult VKAPI_CALL failAllocate(VkDevice, const VkMemoryAllocateInfo*, const VkAllocationCallbacks*,
                                 VkDeviceMemory*) {
    return g_answer;
}
VkResult VKAPI_CALL failMap(VkDevice, VkDeviceMemory, VkDeviceSize, VkDeviceSize, VkMemoryMapFlags, void**) {
    return g_answer;
}
VkResult VKAPI_CALL failBuffer(VkDevice, const VkBufferCreateInfo*, const VkAllocationCallbacks*, VkBuffer*) {
    return g_answer;
}
VkResult VKAPI_CALL failPipelines(VkDevice, VkPipelineCache, std::uint32_t count,
                                  const VkComputePipelineCreateInfo*, const VkAllocationCallbacks*,
                                  VkPipeline* out) {
    std::fill(out, out + count, VkPipeline{});
    return g_answer;
}

struct Steps final : backend::Progress {
    void report(std::uint64_t done, std::uint64_t total) override {
        grows = grows && done > last && done <= total;
        last = done;
        all = total;
        if (stopsAtFirst != nullptr) stopsAtFirst->request();
    }
    std::uint64_t last = 0;
    std::uint64_t all = 0;
    bool grows = true;
    CancelFlag* stopsAtFirst = nullptr;
};

}  // namespace

class TestVulkanDevice : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void opens();
    void unknownDevice();
    void tiersAreLowered();
    void numbersAreLowered();
    void memoryIsCleared();
    void writtenAndReadBack();
    void tooLarge();
    void budgetIsKept();
    void submissionsOneByOne();
    void uploads_data();
    void uploads();
    void uploadIsCancelled();
    void uploadBeyondItsBuffer();
    void pipelines();
    void pipelineCache();
    void pipelinesAboveTheTier();
    void faults_data();
    void faults();
    void pipelinesFail();
    void lostForGood();
    void answersTooLate();
    void opensAndClosesOften();

private:
    std::unique_ptr<ComputeDevice> open(const DeviceSettings& settings = {});
    std::vector<std::byte> read(ComputeDevice& device, const DeviceBuffer& buffer);

    std::unique_ptr<VulkanLibrary> m_library;
};

std::unique_ptr<ComputeDevice> TestVulkanDevice::open(const DeviceSettings& settings) {
    auto device = ComputeDevice::open(*m_library, settings);
    if (!device.ok()) qWarning("%s", device.error().toString().c_str());
    return device.ok() ? std::move(device).value() : nullptr;
}

/// By way of a buffer that the host sees, as a back end reads results.
std::vector<std::byte> TestVulkanDevice::read(ComputeDevice& device, const DeviceBuffer& buffer) {
    auto readable = DeviceBuffer::make(device, buffer.bytes(), MemoryUse::Readback);
    if (!readable.ok()) return {};
    const Status copied = device.runOnce([&](vk::CommandBuffer commands) {
        commands.copyBuffer(buffer.handle(), readable->handle(), vk::BufferCopy(0, 0, buffer.bytes()),
                            device.dispatch());
    });
    if (!copied.ok() || !readable->invalidate(0, buffer.bytes()).ok()) return {};
    return {readable->mapped().begin(), readable->mapped().end()};
}

void TestVulkanDevice::initTestCase() {
    auto library = VulkanLibrary::open(VulkanLibrary::defaultNames());
    if (!library.ok()) QSKIP(("no Vulkan library here: " + textOf(library)).c_str());
    m_library = std::move(library).value();
    const auto device = ComputeDevice::open(*m_library, {});
    if (!device.ok() && device.error().code() != Errc::B703)
        QSKIP(("no Vulkan device here: " + textOf(device)).c_str());
    QVERIFY2(device.ok(), textOf(device).c_str());
}

void TestVulkanDevice::opens() {
    const auto device = open();
    QVERIFY(device);
    QVERIFY(!device->name().empty());
    const DeviceLimits& limits = device->limits();
    QVERIFY(limits.alignment >= 16);
    QVERIFY(limits.windowBytes > 0 && limits.windowBytes % limits.alignment == 0);
    QVERIFY(limits.windowBytes <= limits.allocationBytes);
    QVERIFY(limits.invocations >= 128 && limits.sharedBytes >= 16384);
    QVERIFY(limits.subgroupLeast >= 1 && limits.subgroupLeast <= limits.subgroupMost);
    QCOMPARE(device->submissions(), std::uint64_t{0});
    const std::string id = describe(device->data()).id;
    DeviceSettings settings;
    settings.id = id;
    const auto again = open(settings);
    QVERIFY(again);
    QCOMPARE(again->name(), device->name());
    qInfo("%s: tier %s, windows of %llu MiB", device->name().c_str(),
          std::string(nameOf(device->tier())).c_str(),
          static_cast<unsigned long long>(limits.windowBytes / kMiB));
}

void TestVulkanDevice::unknownDevice() {
    DeviceSettings settings;
    settings.id = "no-such-device";
    const auto device = ComputeDevice::open(*m_library, settings);
    QCOMPARE(codeOf(device), std::string("X001"));
    QVERIFY(device.error().message().find("no-such-device; it has: ") != std::string::npos);
}

void TestVulkanDevice::tiersAreLowered() {
    const auto best = open();
    QVERIFY(best);
    QVERIFY(best->tier() == detectTier(best->data()));
    for (const FeatureTier most : allFeatureTiers()) {
        DeviceSettings settings;
        settings.most = most;
        const auto device = open(settings);
        QVERIFY(device);
        QVERIFY(device->tier() == std::min(most, best->tier()));
    }
    DeviceSettings settings;
    settings.without = without({DeviceFeature::Int8});
    QVERIFY(open(settings)->tier() <= FeatureTier::Fp16);
    settings.without = without({DeviceFeature::Subgroups, DeviceFeature::Unified});
    const auto device = open(settings);
    QVERIFY(device->tier() == FeatureTier::Fp32);
    QVERIFY(!device->limits().unified);
    QVERIFY(!device->features().has(DeviceFeature::Subgroups));
}

void TestVulkanDevice::numbersAreLowered() {
    DeviceSettings settings;
    settings.windowBytes = 100'000;
    const auto device = open(settings);
    QVERIFY(device);
    QVERIFY(device->limits().windowBytes <= 100'000);
    QVERIFY(device->limits().windowBytes + device->limits().alignment > 100'000);
}

void TestVulkanDevice::memoryIsCleared() {
    const auto device = open();
    QVERIFY(device);
    for (const MemoryUse use : {MemoryUse::Device, MemoryUse::Upload, MemoryUse::Readback}) {
        for (int round = 0; round < 3; ++round) {
            const auto buffer = DeviceBuffer::make(*device, 3 * kMiB + 1, use);
            QVERIFY2(buffer.ok(), textOf(buffer).c_str());
            const std::vector<std::byte> content = read(*device, *buffer);
            QCOMPARE(content.size(), std::size_t{3 * kMiB + 4});
            QVERIFY(
                std::all_of(content.begin(), content.end(), [](std::byte b) { return b == std::byte{0}; }));
            // What the next one may come upon.
            const Status filled = device->runOnce([&](vk::CommandBuffer commands) {
                commands.fillBuffer(buffer->handle(), 0, VK_WHOLE_SIZE, 0xDEADBEEF, device->dispatch());
            });
            QVERIFY(filled.ok());
            QVERIFY(read(*device, *buffer)[5] == std::byte{0xBE});
        }
    }
    QCOMPARE(device->budget().claimedBytes(), std::uint64_t{0});
}

void TestVulkanDevice::writtenAndReadBack() {
    const auto device = open();
    QVERIFY(device);
    for (const std::size_t bytes : {0u, 1u, 4u, 255u, 4096u, 65537u}) {
        const auto buffer = DeviceBuffer::make(*device, bytes, MemoryUse::Upload);
        QVERIFY2(buffer.ok(), textOf(buffer).c_str());
        QVERIFY(buffer->bytes() >= bytes && buffer->bytes() < bytes + 8);
        QCOMPARE(buffer->mapped().size(), std::size_t{buffer->bytes()});
        const std::vector<std::byte> written = pattern(bytes, 1);
        std::copy(written.begin(), written.end(), buffer->mapped().begin());
        QVERIFY(buffer->flush(0, bytes).ok());
        const std::vector<std::byte> content = read(*device, *buffer);
        QVERIFY(std::equal(written.begin(), written.end(), content.begin()));
    }
}

void TestVulkanDevice::tooLarge() {
    const auto device = open();
    QVERIFY(device);
    for (const std::uint64_t bytes : {device->limits().allocationBytes, ~std::uint64_t{0} - 8}) {
        if (bytes == ~std::uint64_t{0}) continue;
        const auto buffer = DeviceBuffer::make(*device, bytes + 5, MemoryUse::Device);
        QCOMPARE(codeOf(buffer), std::string("B702"));
        QVERIFY(buffer.error().message().find("at once") != std::string::npos);
    }
    QVERIFY(device->check().ok());
}

void TestVulkanDevice::budgetIsKept() {
    DeviceSettings settings;
    settings.memoryBytes = 8 * kMiB;
    const auto device = open(settings);
    QVERIFY(device);
    auto first = DeviceBuffer::make(*device, 5 * kMiB, MemoryUse::Device);
    QVERIFY2(first.ok(), textOf(first).c_str());
    const auto second = DeviceBuffer::make(*device, 5 * kMiB, MemoryUse::Device);
    QCOMPARE(codeOf(second), std::string("R901"));
    QVERIFY(second.error().message().find(sizeText(5 * kMiB)) != std::string::npos);
    *first = DeviceBuffer();
    QCOMPARE(device->budget().claimedBytes(), std::uint64_t{0});
    const auto third = DeviceBuffer::make(*device, 5 * kMiB, MemoryUse::Device);
    QVERIFY2(third.ok(), textOf(third).c_str());
}

void TestVulkanDevice::submissionsOneByOne() {
    const auto device = open();
    QVERIFY(device);
    constexpr int kEach = 40;
    std::atomic<int> failures{0};
    const auto work = [&] {
        for (int i = 0; i < kEach; ++i) {
            if (!device->runOnce([](vk::CommandBuffer) {}).ok()) ++failures;
        }
    };
    std::thread other(work);
    work();
    other.join();
    QCOMPARE(failures.load(), 0);
    QCOMPARE(device->submissions(), std::uint64_t{2 * kEach});
}

void TestVulkanDevice::uploads_data() {
    QTest::addColumn<bool>("staged");
    QTest::newRow("as the device likes it") << false;
    QTest::newRow("staged") << true;
}

void TestVulkanDevice::uploads() {
    QFETCH(bool, staged);
    DeviceSettings settings;
    if (staged) settings.without.set(DeviceFeature::Unified);
    const auto device = open(settings);
    QVERIFY(device);
    auto first = DeviceBuffer::make(*device, 48 * kMiB, MemoryUse::Device);
    auto second = DeviceBuffer::make(*device, 60 * kMiB, MemoryUse::Device);
    QVERIFY(first.ok() && second.ok());
    struct Row {
        const DeviceBuffer* to;
        std::size_t bytes;
    };
    // Whole batches, parts of them, nothing at all; each a byte behind the one before it.
    const Row rows[] = {
        {&*first, 40 * kMiB + 7}, {&*first, 0},     {&*second, 1},       {&*first, 3},
        {&*second, 17},           {&*second, 4096}, {&*first, kMiB + 5}, {&*second, 16 * kMiB},
        {&*second, 32 * kMiB - 9}};
    std::vector<std::vector<std::byte>> contents;
    std::vector<UploadPiece> pieces;
    std::uint64_t total = 0;
    std::map<const DeviceBuffer*, std::uint64_t> at = {{&*first, 3}, {&*second, 8}};
    for (const Row& row : rows) {
        contents.push_back(pattern(row.bytes, static_cast<std::uint32_t>(contents.size())));
        pieces.push_back({{}, row.to, at[row.to]});
        at[row.to] += row.bytes + 1;
        total += row.bytes;
    }
    for (std::size_t i = 0; i < pieces.size(); ++i)
        pieces[i].from = contents[i];
    Steps steps;
    const Status status = uploadAll(*device, pieces, &steps, {});
    QVERIFY2(status.ok(), textOf(status).c_str());
    QVERIFY(steps.grows);
    QCOMPARE(steps.last, total);
    QCOMPARE(steps.all, total);
    std::vector<std::byte> expected[2] = {std::vector<std::byte>(first->bytes()),
                                          std::vector<std::byte>(second->bytes())};
    for (const UploadPiece& piece : pieces)
        std::copy(piece.from.begin(), piece.from.end(),
                  expected[piece.to == &*first ? 0 : 1].begin() + static_cast<std::ptrdiff_t>(piece.offset));
    QVERIFY(read(*device, *first) == expected[0]);
    QVERIFY(read(*device, *second) == expected[1]);
    QVERIFY(uploadAll(*device, {}, &steps, {}).ok());
}

void TestVulkanDevice::uploadIsCancelled() {
    for (const bool staged : {false, true}) {
        DeviceSettings settings;
        if (staged) settings.without.set(DeviceFeature::Unified);
        const auto device = open(settings);
        QVERIFY(device);
        const auto buffer = DeviceBuffer::make(*device, 160 * kMiB, MemoryUse::Device);
        QVERIFY2(buffer.ok(), textOf(buffer).c_str());
        const std::vector<std::byte> content(160 * kMiB);
        const UploadPiece piece{content, &*buffer, 0};
        CancelFlag flag;
        Steps steps;
        steps.stopsAtFirst = &flag;
        QCOMPARE(codeOf(uploadAll(*device, {&piece, 1}, &steps, flag)), std::string("X002"));
        QVERIFY(steps.last > 0 && steps.last <= 128 * kMiB);
        const std::uint64_t before = device->submissions();
        QCOMPARE(codeOf(uploadAll(*device, {&piece, 1}, &steps, flag)), std::string("X002"));
        QCOMPARE(device->submissions(), before);
    }
}

void TestVulkanDevice::uploadBeyondItsBuffer() {
    const auto device = open();
    QVERIFY(device);
    const auto buffer = DeviceBuffer::make(*device, 64, MemoryUse::Device);
    QVERIFY(buffer.ok());
    const std::vector<std::byte> content(64);
    const auto refused = [&](const UploadPiece& piece) {
        return codeOf(uploadAll(*device, {&piece, 1}, nullptr, {})) == "X003";
    };
    QVERIFY(refused({content, &*buffer, 1}));
    QVERIFY(refused({content, &*buffer, ~std::uint64_t{0} - 1}));
    QVERIFY(refused({content, nullptr, 0}));
}

void TestVulkanDevice::pipelines() {
    const auto device = open();
    QVERIFY(device);
    const auto store = PipelineStore::create(*device, "");
    QVERIFY2(store.ok(), textOf(store).c_str());
    QVERIFY((*store)->layout());
    for (std::uint32_t set = 0; set < kBuffersOfSet.size(); ++set)
        QVERIFY((*store)->setLayout(set));
    std::vector<PipelineKey> keys;
    for (const Shader& shader : allShaders()) {
        QCOMPARE(shader.code.front(), 0x07230203u);
        if (shader.tier <= device->tier()) keys.push_back({shader.id, {}});
    }
    QVERIFY(keys.size() > 4);
    QVERIFY(!(*store)->get(keys.front()));
    CancelFlag flag;
    flag.request();
    QCOMPARE(codeOf((*store)->prepare(keys, flag)), std::string("X002"));
    QVERIFY(!(*store)->get(keys.front()));
    const Status made = (*store)->prepare(keys, {});
    QVERIFY2(made.ok(), textOf(made).c_str());
    const vk::Pipeline first = (*store)->get(keys.front());
    QVERIFY(first);
    // One of them again, twice, with another value of a constant.
    keys.resize(1);
    keys.push_back({keys[0].shader, {64}});
    keys.push_back(keys[1]);
    QVERIFY((*store)->prepare(keys, {}).ok());
    QVERIFY((*store)->get(keys[0]) == first);
    QVERIFY((*store)->get(keys[1]) && (*store)->get(keys[1]) != first);
    (*store)->save();
}

void TestVulkanDevice::pipelineCache() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("pipelines").toStdString();
    const PipelineKey key{ShaderId::Activate, {}};
    const auto device = open();
    QVERIFY(device);
    const auto run = [&] {
        const auto store = PipelineStore::create(*device, path);
        if (!store.ok() || !(*store)->prepare({&key, 1}, {}).ok() || !(*store)->get(key)) return -1;
        (*store)->save();
        return (*store)->isWarm() ? 1 : 0;
    };
    QCOMPARE(run(), 0);
    if (!keepsPipelines(*device)) {
        QVERIFY(!std::filesystem::exists(path));
        QSKIP("the data of this driver's pipeline cache has no whole head, so none is kept");
    }
    QVERIFY(std::filesystem::exists(path));
    const auto wholeBytes = std::filesystem::file_size(path);
    QVERIFY2(wholeBytes >= 96 + 32, std::to_string(wholeBytes).c_str());
    {
        const auto store = PipelineStore::create(*device, path);
        QVERIFY(store.ok() && (*store)->isWarm());
    }
    for (const char* damage : {"", "nothing of ours", "GLPIPES1"}) {
        std::ofstream(path, std::ios::trunc) << damage;
        QCOMPARE(run(), 0);
        QCOMPARE(std::filesystem::file_size(path), wholeBytes);
    }
    std::filesystem::resize_file(path, wholeBytes - 1);
    QCOMPARE(run(), 0);
    // A folder that is not there: no cache, and nothing worse.
    const auto store = PipelineStore::create(*device, folder.filePath("none/pipelines").toStdString());
    QVERIFY(store.ok());
    QVERIFY((*store)->prepare({&key, 1}, {}).ok());
    (*store)->save();
}

void TestVulkanDevice::pipelinesAboveTheTier() {
    DeviceSettings settings;
    settings.most = FeatureTier::Fp32;
    const auto device = open(settings);
    QVERIFY(device);
    const auto store = PipelineStore::create(*device, "");
    QVERIFY(store.ok());
    const PipelineKey key{ShaderId::MatvecFp16, {}};
    QCOMPARE(codeOf((*store)->prepare({&key, 1}, {})), std::string("X003"));
}

void TestVulkanDevice::faults_data() {
    QTest::addColumn<int>("answer");
    QTest::addColumn<QString>("code");
    QTest::newRow("lost") << static_cast<int>(VK_ERROR_DEVICE_LOST) << "B704";
    QTest::newRow("no device memory") << static_cast<int>(VK_ERROR_OUT_OF_DEVICE_MEMORY) << "R901";
    QTest::newRow("no host memory") << static_cast<int>(VK_ERROR_OUT_OF_HOST_MEMORY) << "R901";
    QTest::newRow("too many") << static_cast<int>(VK_ERROR_TOO_MANY_OBJECTS) << "R901";
    QTest::newRow("no map") << static_cast<int>(VK_ERROR_MEMORY_MAP_FAILED) << "R901";
    QTest::newRow("unknown") << static_cast<int>(VK_ERROR_UNKNOWN) << "B703";
}

/// Each of the calls that memory needs, answered by each failure.
void TestVulkanDevice::faults() {
    QFETCH(int, answer);
    QFETCH(QString, code);
    g_answer = static_cast<VkResult>(answer);
    const auto expect = [&](auto change) {
        const auto device = open();
        const auto before = DeviceBuffer::make(*device, 64, MemoryUse::Device);
        change(functionsOf(*device));
        const auto buffer = DeviceBuffer::make(*device, kMiB, MemoryUse::Upload);
        const Status run = device->runOnce([](vk::CommandBuffer) {});
        const auto failed = buffer.ok() ? run : Status(buffer.error());
        return before.ok() && codeOf(failed) == code.toStdString();
    };
    QVERIFY(expect([](Dispatch& functions) { functions.vkQueueSubmit = failSubmit; }));
    QVERIFY(expect([](Dispatch& functions) { functions.vkAllocateMemory = failAllocate; }));
    QVERIFY(expect([](Dispatch& functions) { functions.vkMapMemory = failMap; }));
    QVERIFY(expect([](Dispatch& functions) { functions.vkCreateBuffer = failBuffer; }));
}

void TestVulkanDevice::pipelinesFail() {
    const auto device = open();
    QVERIFY(device);
    const auto store = PipelineStore::create(*device, "");
    QVERIFY(store.ok());
    functionsOf(*device).vkCreateComputePipelines = failPipelines;
    const std::vector<PipelineKey> keys = {{ShaderId::Activate, {}}, {ShaderId::Norm, {}}};
    g_answer = VK_ERROR_UNKNOWN;
    const Status unknown = (*store)->prepare(keys, {});
    QCOMPARE(codeOf(unknown), std::string("B703"));
    QVERIFY(unknown.error().message().find("compiling the shader") != std::string::npos);
    g_answer = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    QCOMPARE(codeOf((*store)->prepare(keys, {})), std::string("R901"));
    g_answer = VK_ERROR_DEVICE_LOST;
    QCOMPARE(codeOf((*store)->prepare(keys, {})), std::string("B704"));
    QVERIFY(!(*store)->get(keys[0]));
}

void TestVulkanDevice::lostForGood() {
    const auto device = open();
    QVERIFY(device);
    const auto buffer = DeviceBuffer::make(*device, kMiB, MemoryUse::Device);
    const auto store = PipelineStore::create(*device, "");
    QVERIFY(buffer.ok() && store.ok());
    const auto submit = functionsOf(*device).vkQueueSubmit;
    g_answer = VK_ERROR_DEVICE_LOST;
    functionsOf(*device).vkQueueSubmit = failSubmit;
    QCOMPARE(codeOf(device->runOnce([](vk::CommandBuffer) {})), std::string("B704"));
    // It answers again, and that is no reason to believe it.
    functionsOf(*device).vkQueueSubmit = submit;
    QCOMPARE(codeOf(device->runOnce([](vk::CommandBuffer) {})), std::string("B704"));
    QCOMPARE(codeOf(device->submitAndWait({})), std::string("B704"));
    QCOMPARE(codeOf(DeviceBuffer::make(*device, 64, MemoryUse::Upload)), std::string("B704"));
    const std::vector<std::byte> content(64);
    const UploadPiece piece{content, &*buffer, 0};
    QCOMPARE(codeOf(uploadAll(*device, {&piece, 1}, nullptr, {})), std::string("B704"));
    const PipelineKey key{ShaderId::Activate, {}};
    QCOMPARE(codeOf((*store)->prepare({&key, 1}, {})), std::string("B704"));
    QCOMPARE(codeOf(PipelineStore::create(*device, "")), std::string("B704"));
    (*store)->save();
    QCOMPARE(device->submissions(), std::uint64_t{1});
}

void TestVulkanDevice::answersTooLate() {
    DeviceSettings settings;
    settings.answerMs = 0;
    const auto device = open(settings);
    QVERIFY(device);
    // Clearing so much takes longer than no time at all.
    const auto buffer = DeviceBuffer::make(*device, 256 * kMiB, MemoryUse::Device);
    QCOMPARE(codeOf(buffer), std::string("B704"));
    QCOMPARE(codeOf(device->check()), std::string("B704"));
    QCOMPARE(codeOf(DeviceBuffer::make(*device, 64, MemoryUse::Upload)), std::string("B704"));
}

void TestVulkanDevice::opensAndClosesOften() {
    const auto descriptors = [] {
        std::size_t count = 0;
        std::error_code none;
        for (auto at = std::filesystem::directory_iterator("/proc/self/fd", none);
             !none && at != std::filesystem::directory_iterator(); at.increment(none))
            ++count;
        return count;
    };
    std::size_t before = 0;
    for (int i = 0; i < 20; ++i) {
        if (i == 5) before = descriptors();
        const auto device = open();
        QVERIFY(device);
        const auto buffer = DeviceBuffer::make(*device, kMiB, MemoryUse::Device);
        QVERIFY(buffer.ok());
    }
    QCOMPARE(descriptors(), before);
}

QTEST_APPLESS_MAIN(TestVulkanDevice)
#include "tst_vulkan_device.moc"
