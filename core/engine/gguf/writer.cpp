// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "core/engine/base/atomic_file.h"
#include "core/engine/base/checked.h"
#include "core/engine/gguf/file.h"
#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/model_file.h"
#include "core/engine/gguf/source_reader.h"

namespace loader::gguf {
namespace {

constexpr std::size_t kPieceBytes = 1024 * 1024;

/// Numbers and texts in the chosen version and byte order.
class HeadBuilder {
public:
    explicit HeadBuilder(const WriteOptions& options) : m_options(options) {}

    void raw(std::span<const std::byte> bytes) { m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end()); }
    void number(std::uint64_t value, std::size_t width) {
        for (std::size_t i = 0; i < width; ++i) {
            const std::size_t shift = m_options.byteOrder == ByteOrder::Little ? i : width - 1 - i;
            m_bytes.push_back(static_cast<std::byte>((value >> (8 * shift)) & 0xFF));
        }
    }
    void u32(std::uint32_t value) { number(value, 4); }
    /// Counts, lengths and dimensions: 32 bits in version 1. What does not fit is remembered as an error.
    void length(std::uint64_t value) {
        const bool wide = m_options.version > 1;
        if (!wide && value > std::numeric_limits<std::uint32_t>::max()) m_tooWide = true;
        number(value, wide ? 8 : 4);
    }
    void text(std::string_view value) {
        length(value.size());
        raw(std::as_bytes(std::span(value)));
    }
    void elements(const NumberArrayView& view) {
        const std::size_t at = m_bytes.size();
        raw(view.bytes);
        if (m_options.byteOrder != kHostOrder) {
            swapElements(std::span(m_bytes).subspan(at), valueBytes(view.elementType));
        }
    }
    void padTo(std::uint64_t alignment) {
        const std::size_t rest = static_cast<std::size_t>(m_bytes.size() % alignment);
        if (rest != 0) m_bytes.resize(m_bytes.size() + static_cast<std::size_t>(alignment) - rest);
    }
    bool tooWide() const { return m_tooWide; }
    std::vector<std::byte> take() { return std::move(m_bytes); }

private:
    const WriteOptions& m_options;
    std::vector<std::byte> m_bytes;
    bool m_tooWide = false;
};

void putEntry(HeadBuilder& head, const Metadata& metadata, std::size_t index) {
    const std::string_view key = metadata.key(index);
    const ValueType type = metadata.type(index);
    head.text(key);
    head.u32(static_cast<std::uint32_t>(type));
    if (type == ValueType::Text) return head.text(metadata.text(key).value_or(std::string_view()));
    if (type != ValueType::Array)
        return head.number(metadata.scalar(key).value_or(Scalar()).bits, valueBytes(type));
    head.u32(static_cast<std::uint32_t>(metadata.elementType(index)));
    head.length(metadata.arrayLength(key).value_or(0));
    if (const auto numbers = metadata.numbers(key)) return head.elements(*numbers);
    const auto texts = metadata.texts(key);
    if (!texts.ok()) return;
    for (std::size_t i = 0; i < texts->size(); ++i)
        head.text((*texts)[i]);
}

/// A head followed by as many zeros as the tensor data will take: enough for the reader to judge what is
/// about to be written.
class PlannedFile final : public ByteSource {
public:
    PlannedFile(std::span<const std::byte> head, std::uint64_t size) : m_head(head), m_size(size) {}
    std::uint64_t size() const override { return m_size; }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override {
        std::fill(out.begin(), out.end(), std::byte{0});
        if (offset >= m_head.size()) return {};
        const auto from = m_head.subspan(static_cast<std::size_t>(offset));
        std::copy_n(from.begin(), std::min(from.size(), out.size()), out.begin());
        return {};
    }

private:
    std::span<const std::byte> m_head;
    std::uint64_t m_size;
};

std::uint64_t alignmentOf(const Metadata& metadata) {
    const std::uint64_t wanted = metadata.get<std::uint32_t>(keys::kAlignment).value_or(kDefaultAlignment);
    // An impossible one is refused by the check of the plan; until then any number will do that is no zero.
    return wanted == 0 || wanted > kMaxAlignment ? kDefaultAlignment : wanted;
}

}  // namespace

struct Writer::Layout {
    std::vector<std::byte> head;
    std::vector<std::uint64_t> tensorBytes;
    std::uint64_t alignment = kDefaultAlignment;
    std::uint64_t total = 0;
};

void Writer::setAlignment(std::uint32_t alignment) {
    m_metadata.set<std::uint32_t>(keys::kAlignment, alignment);
}

void Writer::addTensor(std::string_view name, quant::TensorType type, std::span<const std::uint64_t> dims,
                       std::span<const std::byte> data) {
    m_tensors.push_back({std::string(name), type, {dims.begin(), dims.end()}, data, nullptr});
}

void Writer::addTensor(std::string_view name, quant::TensorType type, std::span<const std::uint64_t> dims,
                       TensorDataSource data) {
    m_tensors.push_back({std::string(name), type, {dims.begin(), dims.end()}, {}, std::move(data)});
}

Result<Writer::Layout> Writer::layOut(const Metadata& metadata, std::span<const Tensor> tensors) const {
    LOADER_CHECK(metadata.status());
    Layout layout;
    layout.alignment = alignmentOf(metadata);
    HeadBuilder head(m_options);
    const std::string_view magic = "GGUF";
    head.raw(std::as_bytes(std::span(magic)));
    head.u32(m_options.version);
    head.length(tensors.size());
    head.length(metadata.size());
    for (std::size_t i = 0; i < metadata.size(); ++i)
        putEntry(head, metadata, i);

    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
        LOADER_TRY(const std::uint64_t bytes,
                   quant::checkedTensorBytes(tensor.type, tensor.dims, tensor.name));
        if (!tensor.source && tensor.data.size() != bytes) {
            return Error(Errc::X001, {"The tensor " + tensor.name + " needs " + std::to_string(bytes) +
                                      " bytes; given were " + std::to_string(tensor.data.size()) + "."});
        }
        head.text(tensor.name);
        head.u32(static_cast<std::uint32_t>(tensor.dims.size()));
        for (const std::uint64_t dim : tensor.dims)
            head.length(dim);
        head.u32(static_cast<std::uint32_t>(tensor.type));
        head.number(offset, 8);
        layout.tensorBytes.push_back(bytes);
        const auto end = checkedAdd(offset, bytes);
        const auto padded = end ? checkedRoundUp(*end, layout.alignment) : std::nullopt;
        if (!padded) return Error(Errc::GG051, {tensor.name});
        offset = *padded;
    }
    if (!tensors.empty()) head.padTo(layout.alignment);
    if (head.tooWide()) {
        return Error(Errc::X001, {"A length does not fit into the 32 bits of format version 1."});
    }
    layout.head = head.take();
    const auto total = checkedAdd<std::uint64_t>(layout.head.size(), offset);
    if (!total) return Error(Errc::GG051, {tensors.back().name});
    layout.total = *total;
    // The reader has the last word, so that nothing is ever written that it would refuse.
    LOADER_TRY(const File planned, File::parse(PlannedFile(layout.head, layout.total)));
    if (planned.tensors().size() != tensors.size())
        return Error(Errc::X003, {"the plan of a file lost tensors"});
    return layout;
}

Status Writer::emitTensor(const Tensor& tensor, std::uint64_t bytes, const Sink& sink) const {
    if (!tensor.source) return sink(tensor.data);
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kPieceBytes)));
    for (std::uint64_t done = 0; done < bytes;) {
        const auto out = std::span(piece).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes - done, piece.size())));
        LOADER_CHECK(tensor.source(done, out));
        LOADER_CHECK(sink(out));
        done += out.size();
    }
    return {};
}

Status Writer::emit(const Layout& layout, std::span<const Tensor> tensors, const Sink& sink) const {
    LOADER_CHECK(sink(layout.head));
    const std::vector<std::byte> zeros(static_cast<std::size_t>(layout.alignment));
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::uint64_t bytes = layout.tensorBytes[i];
        LOADER_CHECK(emitTensor(tensors[i], bytes, sink));
        const std::uint64_t rest = bytes % layout.alignment;
        if (rest != 0)
            LOADER_CHECK(sink(std::span(zeros).first(static_cast<std::size_t>(layout.alignment - rest))));
    }
    return {};
}

Result<std::vector<std::byte>> Writer::bytesOf(const Metadata& metadata,
                                               std::span<const Tensor> tensors) const {
    LOADER_TRY(const Layout layout, layOut(metadata, tensors));
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(layout.total));
    LOADER_CHECK(emit(layout, tensors, [&](std::span<const std::byte> piece) {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return Status();
    }));
    return bytes;
}

Status Writer::writeTo(const std::string& path, const Metadata& metadata,
                       std::span<const Tensor> tensors) const {
    LOADER_TRY(const Layout layout, layOut(metadata, tensors));
    LOADER_TRY(const std::unique_ptr<AtomicFile> file, AtomicFile::create(path));
    LOADER_CHECK(
        emit(layout, tensors, [&](std::span<const std::byte> piece) { return file->append(piece); }));
    return file->commit();
}

Result<std::vector<std::byte>> Writer::toBytes() const {
    return bytesOf(m_metadata, m_tensors);
}

Status Writer::write(const std::string& path) const {
    return writeTo(path, m_metadata, m_tensors);
}

Result<std::size_t> Writer::shardCount(std::size_t tensorsPerShard) const {
    if (tensorsPerShard == 0) return Error(Errc::S302, {"no tensor fits into a part"});
    const std::size_t count = std::max<std::size_t>(
        1, m_tensors.size() / tensorsPerShard + (m_tensors.size() % tensorsPerShard != 0));
    if (count > kMaxShards) return Error(Errc::S302, {std::to_string(count)});
    return count;
}

std::span<const Writer::Tensor> Writer::shardTensors(std::size_t number, std::size_t tensorsPerShard) const {
    const std::size_t first = number * tensorsPerShard;
    return std::span(m_tensors).subspan(first, std::min(tensorsPerShard, m_tensors.size() - first));
}

/// The first part carries everything; the others only what is needed to find their place.
Metadata Writer::shardMetadata(std::size_t number, std::size_t count) const {
    Metadata metadata;
    if (number == 0) {
        metadata = m_metadata.clone();
    } else if (const auto alignment = m_metadata.scalar(keys::kAlignment)) {
        metadata.setScalar(keys::kAlignment, *alignment);
    }
    metadata.set<std::uint16_t>(keys::kSplitNumber, static_cast<std::uint16_t>(number));
    metadata.set<std::uint16_t>(keys::kSplitCount, static_cast<std::uint16_t>(count));
    metadata.set<std::int32_t>(keys::kSplitTensorCount, static_cast<std::int32_t>(m_tensors.size()));
    return metadata;
}

Result<std::vector<std::string>> Writer::writeSplit(const std::string& prefix,
                                                    std::size_t tensorsPerShard) const {
    LOADER_TRY(const std::size_t count, shardCount(tensorsPerShard));
    ShardName name;
    name.prefix = prefix;
    name.count = static_cast<std::uint32_t>(count);
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < count; ++i) {
        paths.push_back(name.path(static_cast<std::uint32_t>(i + 1)));
        LOADER_CHECK(writeTo(paths.back(), shardMetadata(i, count), shardTensors(i, tensorsPerShard)));
    }
    return paths;
}

Result<std::vector<std::vector<std::byte>>> Writer::splitToBytes(std::size_t tensorsPerShard) const {
    LOADER_TRY(const std::size_t count, shardCount(tensorsPerShard));
    std::vector<std::vector<std::byte>> parts;
    for (std::size_t i = 0; i < count; ++i) {
        LOADER_TRY(std::vector<std::byte> bytes,
                   bytesOf(shardMetadata(i, count), shardTensors(i, tensorsPerShard)));
        parts.push_back(std::move(bytes));
    }
    return parts;
}

}  // namespace loader::gguf
