// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/file_reader.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>

#include "core/engine/base/checked.h"
#include "core/engine/gguf/foreign_file.h"
#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/lean_file.h"
#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/metadata_reader.h"
#include "core/engine/gguf/text_rules.h"

namespace loader::gguf {
namespace {

constexpr std::array<std::byte, 4> kMagic = {std::byte{'G'}, std::byte{'G'}, std::byte{'U'}, std::byte{'F'}};
/// Magic and version, then two counts.
constexpr std::uint64_t kVersionEnd = 8;

std::string placeOf(std::uint64_t offset) {
    return SourceReader::placeOf(offset);
}

Error tooShort(std::uint64_t bytes) {
    return Error(Errc::GG001, {std::to_string(bytes)}, placeOf(bytes));
}

/// @pre the product was checked by checkedTensorBytes
std::string endAsText(std::uint64_t dataOffset, const TensorInfo& tensor) {
    const auto start = checkedAdd(dataOffset, tensor.offset);
    const auto end = start ? checkedAdd(*start, tensor.bytes) : std::nullopt;
    return end ? std::to_string(*end) : "more than 2^64";
}

}  // namespace

Result<File> FileReader::read() {
    m_file.m_fileBytes = m_reader.size();
    LOADER_CHECK(readMagicAndVersion());
    LOADER_CHECK(readCounts());
    LOADER_CHECK(readMetadata());
    LOADER_CHECK(checkAlignment());
    LOADER_CHECK(readTensors());
    LOADER_CHECK(checkNames());
    LOADER_CHECK(locateData());
    LOADER_CHECK(placeTensors());
    return std::move(m_file);
}

Status FileReader::readMagicAndVersion() {
    std::array<std::byte, kForeignHeadBytes> storage{};
    const std::uint64_t bytes = m_reader.size();
    const auto head =
        std::span(storage).first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, storage.size())));
    if (!m_reader.bytes(head)) return m_reader.error("the header");
    const bool magic = head.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), head.begin());
    if (!magic) {
        if (auto foreign = recogniseForeign(head)) return std::move(*foreign);
        if (bytes < kMagic.size()) return tooShort(bytes);
        return Error(Errc::GG002, {}, placeOf(0));
    }
    if (bytes < kVersionEnd) return tooShort(bytes);

    m_reader.seek(kMagic.size());
    std::uint32_t version = 0;
    if (!m_reader.u32(version)) return m_reader.error("the version");
    if (version == 0) return Error(Errc::GG004, {}, placeOf(kMagic.size()));
    // No version has 2^16 as a factor: such a number was written in the other byte order.
    if ((version & 0xFFFFu) == 0) {
        m_file.m_byteOrder = ByteOrder::Big;
        m_reader.setOrder(ByteOrder::Big);
        m_reader.seek(kMagic.size());
        if (!m_reader.u32(version)) return m_reader.error("the version");
    }
    if (version > kNewestVersion)
        return Error(Errc::GG007, {std::to_string(version)}, placeOf(kMagic.size()));
    m_file.m_version = version;
    m_reader.setWideLengths(version > 1);
    return {};
}

std::uint64_t FileReader::smallestTensor() const {
    // Name length, one byte of name, rank, one dimension, type, offset.
    return m_reader.lengthBytes() + 1 + 4 + dimensionBytes() + 4 + 8;
}

Status FileReader::readCounts() {
    if (m_reader.left() < 2 * m_reader.lengthBytes()) return tooShort(m_reader.size());
    const std::uint64_t start = m_reader.offset();
    if (!m_reader.length(m_tensorCount) || !m_reader.length(m_entryCount))
        return m_reader.error("the header");
    const std::uint64_t left = m_reader.left();
    if (m_tensorCount > kMaxTensors || m_tensorCount > left / smallestTensor()) {
        return Error(Errc::GG008, {std::to_string(m_tensorCount)}, placeOf(start));
    }
    const std::uint64_t forEntries = left - m_tensorCount * smallestTensor();
    if (m_entryCount > kMaxMetadataEntries ||
        m_entryCount > forEntries / MetadataReader::smallestEntry(m_reader)) {
        return Error(Errc::GG009, {std::to_string(m_entryCount)}, placeOf(start + m_reader.lengthBytes()));
    }
    return {};
}

Status FileReader::readMetadata() {
    const std::uint64_t longest = m_lean ? kLeanElements : kMaxArrayElements;
    MetadataReader reader(m_reader, m_entryCount, m_tensorCount * smallestTensor(), longest);
    LOADER_TRY(m_file.m_metadata, reader.read());
    for (Error& warning : reader.warnings())
        warn(std::move(warning));
    return {};
}

Status FileReader::checkAlignment() {
    const Metadata& metadata = m_file.m_metadata;
    const auto type = metadata.type(keys::kAlignment);
    if (!type) return {};
    if (*type != ValueType::U32) return Error(Errc::GG030, {std::string(valueTypeName(*type))});
    const std::uint64_t value = metadata.get<std::uint32_t>(keys::kAlignment).value_or(0);
    if (value < kMinAlignment || value > kMaxAlignment || (value & (value - 1)) != 0) {
        return Error(Errc::GG031, {std::to_string(value)});
    }
    m_file.m_alignment = value;
    return {};
}

/// Reads the table twice: the first pass proves that it is there and how long the names are, so that the
/// second can ask for exactly the memory it needs.
Status FileReader::readTensors() {
    const std::uint64_t start = m_reader.offset();
    std::size_t nameBytes = 0;
    for (std::uint64_t i = 0; i < m_tensorCount; ++i) {
        TensorRecord record;
        LOADER_CHECK(readTensor(record));
        nameBytes += record.nameBytes;
    }
    m_tableEnd = m_reader.offset();
    m_file.m_names.reserve(nameBytes);
    m_file.m_tensors.reserve(static_cast<std::size_t>(m_tensorCount));
    m_reader.seek(start);
    for (std::uint64_t i = 0; i < m_tensorCount; ++i) {
        TensorRecord record;
        LOADER_CHECK(readTensor(record));
        std::vector<char>& names = m_file.m_names;
        // Only where the file was changed between the passes; growing would move the names that are in use.
        if (names.capacity() - names.size() < record.nameBytes) return Error(Errc::F801);
        const std::size_t at = names.size();
        names.insert(names.end(), record.name.begin(),
                     record.name.begin() + static_cast<std::ptrdiff_t>(record.nameBytes));
        record.info.name = {names.data() + at, record.nameBytes};
        m_file.m_tensors.push_back(record.info);
    }
    if (m_reader.offset() != m_tableEnd) return Error(Errc::F801);
    return {};
}

Status FileReader::readTensor(TensorRecord& record) {
    const std::uint64_t start = m_reader.offset();
    LOADER_CHECK(readName(record));
    record.info.name = {record.name.data(), record.nameBytes};
    LOADER_CHECK(readShape(record));
    LOADER_CHECK(readType(record, start));
    if (!m_reader.unsignedNumber(8, record.info.offset)) return m_reader.error("the tensor table");
    return {};
}

Status FileReader::readName(TensorRecord& record) {
    const std::uint64_t start = m_reader.offset();
    std::uint64_t length = 0;
    if (!m_reader.length(length)) return m_reader.error("the tensor table");
    if (length > kMaxTensorNameBytes) return Error(Errc::GG040, {std::to_string(length)}, placeOf(start));
    record.nameBytes = static_cast<std::size_t>(length);
    if (!m_reader.bytes(std::as_writable_bytes(std::span(record.name).first(record.nameBytes)))) {
        return m_reader.error("the tensor table");
    }
    Status status = checkTensorName({record.name.data(), record.nameBytes});
    if (!status.ok()) return std::move(status).error().within(placeOf(start));
    return {};
}

Status FileReader::readShape(TensorRecord& record) {
    const std::uint64_t start = m_reader.offset();
    std::uint32_t rank = 0;
    if (!m_reader.u32(rank)) return m_reader.error("the tensor table");
    if (rank == 0 || rank > kMaxRank) {
        return Error(Errc::GG044, {std::string(record.info.name), std::to_string(rank)}, placeOf(start));
    }
    record.info.rank = static_cast<std::uint8_t>(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        if (!m_reader.unsignedNumber(static_cast<std::size_t>(dimensionBytes()), record.info.dims[i])) {
            return m_reader.error("the tensor table");
        }
    }
    return {};
}

Status FileReader::readType(TensorRecord& record, std::uint64_t start) {
    const std::uint64_t typeStart = m_reader.offset();
    std::uint32_t number = 0;
    if (!m_reader.u32(number)) return m_reader.error("the tensor table");
    const std::string name(record.info.name);
    const auto type = quant::typeFromNumber(number);
    if (!type) {
        const auto retired = quant::retiredType(number);
        if (!retired) {
            return Error(Errc::GG048,
                         {name, std::to_string(number), "Update this program, or choose another file."},
                         placeOf(typeStart));
        }
        return Error(retired->removed ? Errc::GG049 : Errc::GG048,
                     {name, std::string(retired->name), std::string(retired->advice)}, placeOf(typeStart));
    }
    record.info.type = *type;
    auto bytes = quant::checkedTensorBytes(*type, record.info.shape(), name);
    if (!bytes.ok()) return std::move(bytes).error().within(placeOf(start));
    record.info.bytes = *bytes;
    return {};
}

Status FileReader::checkNames() {
    const std::vector<TensorInfo>& tensors = m_file.m_tensors;
    std::vector<std::uint32_t>& order = m_file.m_byName;
    order.resize(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return tensors[a].name < tensors[b].name; });
    const auto twin = std::adjacent_find(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return tensors[a].name == tensors[b].name;
    });
    if (twin != order.end()) return Error(Errc::GG042, {std::string(tensors[*twin].name)});
    return {};
}

Status FileReader::locateData() {
    const std::uint64_t bytes = m_file.m_fileBytes;
    const auto start = checkedRoundUp(m_tableEnd, m_file.m_alignment);
    m_file.m_dataOffset = start ? *start : bytes;
    LOADER_CHECK(checkPadding(m_tableEnd, std::min(m_file.m_dataOffset, bytes)));
    return {};
}

Status FileReader::checkPadding(std::uint64_t begin, std::uint64_t end) {
    m_reader.seek(begin);
    std::array<std::byte, 256> piece{};
    for (std::uint64_t at = begin; at < end;) {
        const auto out =
            std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(end - at, piece.size())));
        if (!m_reader.bytes(out)) return m_reader.error("the padding");
        if (std::any_of(out.begin(), out.end(), [](std::byte b) { return b != std::byte{0}; })) {
            // Without tensors there is no padding: what follows is extra and reported as that.
            if (m_tensorCount > 0)
                warn(Error(Errc::GG061, {}, placeOf(at)));
            else
                warn(Error(Errc::GG060, {std::to_string(m_reader.size() - m_tableEnd)}, placeOf(m_tableEnd)));
            return {};
        }
        at += out.size();
    }
    return {};
}

/// Tensors may lie in any order, but they must follow each other without overlap and without a gap: bytes
/// that no tensor owns are where other things hide.
Status FileReader::placeTensors() {
    std::vector<TensorInfo>& tensors = m_file.m_tensors;
    std::vector<std::uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::pair(tensors[a].offset, a) < std::pair(tensors[b].offset, b);
    });
    const TensorInfo* before = nullptr;
    std::uint64_t end = 0;
    for (const std::uint32_t index : order) {
        LOADER_CHECK(placeTensor(tensors[index], before, end));
        before = &tensors[index];
    }
    for (TensorInfo& tensor : tensors)
        tensor.offset += m_file.m_dataOffset;
    const auto extraFrom = checkedAdd(m_file.m_dataOffset, end);
    const bool warned =
        tensors.empty() && !m_file.m_warnings.empty() && m_file.m_warnings.back().code() == Errc::GG060;
    if (extraFrom && *extraFrom < m_file.m_fileBytes && !warned) {
        warn(Error(Errc::GG060, {std::to_string(m_file.m_fileBytes - *extraFrom)}, placeOf(*extraFrom)));
    }
    return {};
}

/// @unit end: where the next tensor has to start, relative to the data section
Status FileReader::placeTensor(TensorInfo& tensor, const TensorInfo* before, std::uint64_t& end) {
    const std::string name(tensor.name);
    const std::uint64_t dataBytes =
        m_file.m_dataOffset < m_file.m_fileBytes ? m_file.m_fileBytes - m_file.m_dataOffset : 0;
    if (tensor.offset % m_file.m_alignment != 0) {
        return Error(Errc::GG052, {name, std::to_string(tensor.offset), std::to_string(m_file.m_alignment)});
    }
    const auto beyond = [&] {
        return Error(Errc::GG055,
                     {name, endAsText(m_file.m_dataOffset, tensor), std::to_string(m_file.m_fileBytes)});
    };
    if (tensor.offset >= dataBytes) return beyond();
    if (tensor.offset < end && before) return Error(Errc::GG054, {name, std::string(before->name)});
    if (tensor.offset > end) {
        return Error(Errc::GG053, {name, std::to_string(tensor.offset), std::to_string(end)});
    }
    if (tensor.bytes > dataBytes - tensor.offset) return beyond();
    for (const std::uint64_t dim : tensor.shape()) {
        if (dim > kMaxDimension) return Error(Errc::GG046, {name, std::to_string(dim)});
    }
    const auto padded = checkedRoundUp(tensor.offset + tensor.bytes, m_file.m_alignment);
    if (!padded) return beyond();
    end = *padded;
    return {};
}

void FileReader::warn(Error warning) {
    if (m_file.m_warnings.size() < kMaxWarnings) m_file.m_warnings.push_back(std::move(warning));
}

}  // namespace loader::gguf
