// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/model_file.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "core/engine/base/checked.h"
#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/text_rules.h"

namespace loader::gguf {
namespace {

constexpr std::size_t kShardDigits = 5;
constexpr std::string_view kShardEnding = ".gguf";
constexpr std::string_view kShardOf = "-of-";

struct SideKind {
    std::string_view value;
    std::string_view name;
};

/// Values of general.type, then of general.architecture, that mark a file beside a model.
constexpr SideKind kSideTypes[] = {{"adapter", "an adapter"},
                                   {"mmproj", "a projector for images or sound"},
                                   {"imatrix", "an importance matrix"}};
constexpr SideKind kSideArchitectures[] = {{"clip", "a projector for images or sound"},
                                           {"controlvector", "a control vector"},
                                           {"imatrix", "an importance matrix"}};

std::optional<std::string_view> kindOf(std::span<const SideKind> kinds,
                                       std::optional<std::string_view> value) {
    for (const SideKind& kind : kinds) {
        if (value == kind.value) return kind.name;
    }
    return std::nullopt;
}

std::string fiveDigits(std::uint32_t number) {
    const std::string digits = std::to_string(number);
    return std::string(kShardDigits - std::min(kShardDigits, digits.size()), '0') + digits;
}

/// The number in the last five characters of text, which are then cut off.
std::optional<std::uint32_t> takeFiveDigits(std::string_view& text) {
    if (text.size() < kShardDigits) return std::nullopt;
    std::uint32_t number = 0;
    for (const char c : text.substr(text.size() - kShardDigits)) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
    text.remove_suffix(kShardDigits);
    return number;
}

bool takeEnding(std::string_view& text, std::string_view ending) {
    if (!text.ends_with(ending)) return false;
    text.remove_suffix(ending.size());
    return true;
}

}  // namespace

std::optional<std::string_view> sideFileKind(const Metadata& metadata) {
    if (const auto kind = kindOf(kSideTypes, metadata.text(keys::kType))) return kind;
    return kindOf(kSideArchitectures, metadata.text(keys::kArchitecture));
}

std::string ShardName::path(std::uint32_t otherNumber) const {
    return prefix + "-" + fiveDigits(otherNumber) + std::string(kShardOf) + fiveDigits(count) +
           std::string(kShardEnding);
}

std::optional<ShardName> parseShardName(std::string_view path) {
    ShardName name;
    if (!takeEnding(path, kShardEnding)) return std::nullopt;
    const auto count = takeFiveDigits(path);
    if (!count || !takeEnding(path, kShardOf)) return std::nullopt;
    const auto number = takeFiveDigits(path);
    if (!number || !takeEnding(path, "-") || *number == 0 || *number > *count) return std::nullopt;
    name.prefix = std::string(path);
    name.number = *number;
    name.count = *count;
    return name;
}

struct ModelFile::Shard {
    std::string path;
    std::unique_ptr<ByteSource> source;
    const FileSource* onDisk = nullptr;  // the source, where it is a file
    std::span<const std::byte> memory;   // the bytes, where it is none
    File file;
    std::unique_ptr<Mapping> mapping;
};

/// Opens the named file, then its siblings, then compares them.
class ModelOpener {
public:
    using Shard = ModelFile::Shard;
    using SourceOpener = std::function<Status(const std::string& path, Shard& shard)>;

    ModelOpener(SourceOpener openSource, const OpenOptions& options)
        : m_openSource(std::move(openSource)), m_options(options), m_model(new ModelFile) {}

    Result<std::unique_ptr<ModelFile>> open(const std::string& path) {
        m_name = parseShardName(path);
        auto first = std::make_unique<Shard>();
        first->path = path;
        LOADER_CHECK(m_openSource(path, *first));
        auto parsed = File::parse(*first->source);
        if (!parsed.ok()) {
            Error error = std::move(parsed).error().within(path);
            if (!m_name || m_name->count < 2) return error;
            return unreadable(m_name->number, path, error);
        }
        first->file = std::move(parsed).value();
        LOADER_TRY(const std::uint32_t count, shardCount(*first));
        if (count == 1) {
            m_model->m_shards.push_back(std::move(first));
        } else {
            LOADER_CHECK(openSet(std::move(first), count));
        }
        LOADER_CHECK(checkKind());
        LOADER_CHECK(mergeTables());
        return std::move(m_model);
    }

private:
    static Error unreadable(std::uint32_t number, const std::string& path, const Error& reason) {
        return Error(Errc::S309,
                     {std::to_string(number), std::string(reason.name()) + ": " + reason.message()}, path);
    }

    /// 1 where the file is a model of its own.
    static Result<std::uint32_t> shardCount(const Shard& shard) {
        const Metadata& metadata = shard.file.metadata();
        if (!metadata.contains(keys::kSplitCount)) return std::uint32_t(1);
        const auto count = metadata.get<std::uint32_t>(keys::kSplitCount);
        if (!count || *count == 0 || *count > kMaxShards) {
            return Error(Errc::S302, {metadata.toString(*metadata.find(keys::kSplitCount))}, shard.path);
        }
        return *count;
    }

    Status openSet(std::unique_ptr<Shard> named, std::uint32_t count) {
        if (!m_name) return Error(Errc::S308, {named->path}, named->path);
        if (m_name->count != count) {
            return Error(
                Errc::S303,
                {"the name says " + std::to_string(m_name->count) + ", the file " + std::to_string(count)},
                named->path);
        }
        for (std::uint32_t number = 1; number <= count; ++number) {
            std::unique_ptr<Shard> shard;
            if (number == m_name->number) {
                shard.swap(named);
            } else {
                LOADER_TRY(shard, openSibling(number));
            }
            LOADER_CHECK(checkShard(*shard, number, count));
            m_model->m_shards.push_back(std::move(shard));
        }
        return checkSameModel();
    }

    Result<std::unique_ptr<Shard>> openSibling(std::uint32_t number) {
        auto shard = std::make_unique<Shard>();
        shard->path = m_name->path(number);
        Status opened = m_openSource(shard->path, *shard);
        if (!opened.ok()) {
            const Error& reason = opened.error();
            if (reason.code() == Errc::F802) {
                return Error(Errc::S301, {std::to_string(number), shard->path}, shard->path);
            }
            return unreadable(number, shard->path, reason);
        }
        auto parsed = File::parse(*shard->source);
        if (!parsed.ok()) return unreadable(number, shard->path, parsed.error());
        shard->file = std::move(parsed).value();
        return shard;
    }

    static Status checkShard(const Shard& shard, std::uint32_t number, std::uint32_t count) {
        const Metadata& metadata = shard.file.metadata();
        const auto ownCount = metadata.get<std::uint32_t>(keys::kSplitCount);
        if (ownCount != count) {
            const std::string found = ownCount ? std::to_string(*ownCount) : "nothing";
            return Error(
                Errc::S303,
                {"part " + std::to_string(number) + " says " + found + ", another " + std::to_string(count)},
                shard.path);
        }
        const auto ownNumber = metadata.get<std::uint32_t>(keys::kSplitNumber);
        if (ownNumber != number - 1) {
            const std::string found = ownNumber ? std::to_string(*ownNumber) : "none";
            return Error(Errc::S304,
                         {std::to_string(number), found + " in place of " + std::to_string(number - 1)},
                         shard.path);
        }
        return {};
    }

    /// Later parts need not repeat the metadata; what they do repeat must agree.
    Status checkSameModel() const {
        const Shard& first = *m_model->m_shards.front();
        for (const auto& shard : m_model->m_shards) {
            if (shard->file.byteOrder() != first.file.byteOrder()) {
                return Error(Errc::S307, {"their byte orders differ"}, shard->path);
            }
            for (const std::string_view key : {keys::kUuid, keys::kArchitecture, keys::kName}) {
                const auto own = shard->file.metadata().text(key);
                if (own && own != first.file.metadata().text(key)) {
                    return Error(Errc::S307, {std::string(key) + " is " + printable(*own)}, shard->path);
                }
            }
        }
        return {};
    }

    Status checkKind() const {
        if (m_options.acceptSideFiles) return {};
        const auto kind = sideFileKind(m_model->metadata());
        if (!kind) return {};
        return Error(Errc::S310, {std::string(*kind)}, m_model->m_shards.front()->path);
    }

    Status mergeTables() {
        std::uint64_t held = 0;
        for (const auto& shard : m_model->m_shards)
            held += shard->file.tensors().size();
        for (const auto& shard : m_model->m_shards)
            LOADER_CHECK(checkTensorCount(*shard, held));
        if (held > kMaxTensors) {
            return Error(Errc::S305, {std::to_string(held), "at most " + std::to_string(kMaxTensors)});
        }
        std::vector<TensorInfo>& merged = m_model->m_tensors;
        merged.reserve(static_cast<std::size_t>(held));
        for (std::uint32_t i = 0; i < m_model->m_shards.size(); ++i) {
            const Shard& shard = *m_model->m_shards[i];
            for (TensorInfo tensor : shard.file.tensors()) {
                tensor.shard = i;
                merged.push_back(tensor);
            }
            for (Error warning : shard.file.warnings()) {
                m_model->m_warnings.push_back(std::move(warning).within(shard.path));
            }
        }
        return indexNames();
    }

    Status checkTensorCount(const Shard& shard, std::uint64_t held) const {
        const Metadata& metadata = shard.file.metadata();
        const auto index = metadata.find(keys::kSplitTensorCount);
        if (!index || m_model->m_shards.size() == 1) return {};
        const auto promised = metadata.get<std::uint64_t>(keys::kSplitTensorCount);
        if (promised == held) return {};
        return Error(Errc::S305, {std::to_string(held), metadata.toString(*index)}, shard.path);
    }

    Status indexNames() {
        const std::vector<TensorInfo>& tensors = m_model->m_tensors;
        std::vector<std::uint32_t>& order = m_model->m_byName;
        order.resize(tensors.size());
        std::iota(order.begin(), order.end(), 0u);
        std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
            return std::pair(tensors[a].name, a) < std::pair(tensors[b].name, b);
        });
        for (std::size_t i = 1; i < order.size(); ++i) {
            const TensorInfo& tensor = tensors[order[i]];
            if (tensors[order[i - 1]].name != tensor.name) continue;
            return Error(Errc::S306, {std::string(tensor.name)}, m_model->m_shards[tensor.shard]->path);
        }
        return {};
    }

    SourceOpener m_openSource;
    OpenOptions m_options;
    std::optional<ShardName> m_name;
    std::unique_ptr<ModelFile> m_model;
};

ModelFile::ModelFile() = default;
ModelFile::~ModelFile() = default;

Result<std::unique_ptr<ModelFile>> ModelFile::open(const std::string& path, const OpenOptions& options) {
    const auto openSource = [](const std::string& wanted, Shard& shard) -> Status {
        LOADER_TRY(std::unique_ptr<FileSource> file, FileSource::open(wanted));
        shard.onDisk = file.get();
        shard.source = std::move(file);
        return {};
    };
    return ModelOpener(openSource, options).open(path);
}

Result<std::unique_ptr<ModelFile>> ModelFile::openFiles(std::vector<std::unique_ptr<FileSource>> files,
                                                        const OpenOptions& options) {
    if (files.empty()) return Error(Errc::F802);
    const std::string first = files.front()->path();
    const auto openSource = [&files](const std::string& wanted, Shard& shard) -> Status {
        const auto found = std::ranges::find_if(
            files, [&wanted](const auto& file) { return file && file->path() == wanted; });
        if (found == files.end()) return Error(Errc::F802, {}, wanted);
        shard.onDisk = found->get();
        shard.source = std::move(*found);
        return {};
    };
    return ModelOpener(openSource, options).open(first);
}

Result<std::unique_ptr<ModelFile>> ModelFile::openMemory(std::span<const MemoryFile> folder,
                                                         const std::string& path,
                                                         const OpenOptions& options) {
    const auto openSource = [folder](const std::string& wanted, Shard& shard) -> Status {
        const auto found = std::ranges::find(folder, wanted, &MemoryFile::path);
        if (found == folder.end()) return Error(Errc::F802, {}, wanted);
        shard.memory = found->bytes;
        shard.source = std::make_unique<MemorySource>(found->bytes);
        return {};
    };
    return ModelOpener(openSource, options).open(path);
}

const Metadata& ModelFile::metadata() const {
    return m_shards.front()->file.metadata();
}

ByteOrder ModelFile::byteOrder() const {
    return m_shards.front()->file.byteOrder();
}

const TensorInfo* ModelFile::tensor(std::string_view name) const {
    const auto place = std::lower_bound(
        m_byName.begin(), m_byName.end(), name,
        [this](std::uint32_t index, std::string_view wanted) { return m_tensors[index].name < wanted; });
    if (place == m_byName.end() || m_tensors[*place].name != name) return nullptr;
    return &m_tensors[*place];
}

std::size_t ModelFile::shards() const {
    return m_shards.size();
}

const File& ModelFile::shard(std::size_t index) const {
    return m_shards[index]->file;
}

const std::string& ModelFile::shardPath(std::size_t index) const {
    return m_shards[index]->path;
}

std::uint64_t ModelFile::fileBytes() const {
    std::uint64_t total = 0;
    // Saturates: sparse files may claim any size.
    for (const auto& shard : m_shards) {
        total =
            checkedAdd(total, shard->file.fileBytes()).value_or(std::numeric_limits<std::uint64_t>::max());
    }
    return total;
}

Status ModelFile::map() {
    if (m_mapped) return {};
    for (const auto& shard : m_shards) {
        if (!shard->onDisk) continue;
        // A file that shrank since it was validated would turn a read into a bus error.
        LOADER_CHECK(shard->onDisk->checkUnchanged());
        LOADER_TRY(shard->mapping, Mapping::map(*shard->onDisk));
    }
    m_mapped = true;
    return {};
}

std::span<const std::byte> ModelFile::tensorData(const TensorInfo& tensor) const {
    if (!m_mapped || tensor.shard >= m_shards.size()) return {};
    const Shard& shard = *m_shards[tensor.shard];
    const std::span<const std::byte> all = shard.mapping ? shard.mapping->bytes() : shard.memory;
    if (tensor.offset > all.size() || tensor.bytes > all.size() - tensor.offset) return {};
    return all.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.bytes));
}

const Mapping* ModelFile::mapping(std::size_t shard) const {
    return m_shards[shard]->mapping.get();
}

const ByteSource& ModelFile::source(std::size_t shard) const {
    return *m_shards[shard]->source;
}

Status ModelFile::checkUnchanged() const {
    for (const auto& shard : m_shards) {
        if (shard->onDisk) LOADER_CHECK(shard->onDisk->checkUnchanged());
    }
    return {};
}

}  // namespace loader::gguf
