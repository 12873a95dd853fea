// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Any bytes as a GGUF file. What is accepted must be sound in arithmetic that cannot wrap, must read the same
// through the smallest window, and must survive being written and read again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/base/utf8.h"
#include "core/engine/gguf/file.h"
#include "core/engine/gguf/lean_file.h"
#include "core/engine/gguf/writer.h"
#include "tests/support/gguf_compare.h"

using namespace loader;
using namespace loader::gguf;

namespace {

__extension__ using Wide = __int128;

/// Ends the program where the reader broke a promise; the fuzzer keeps the input.
void promise(bool kept) {
    if (!kept) __builtin_trap();
}

Wide sizeOf(const TensorInfo& tensor) {
    Wide elements = 1;
    for (const std::uint64_t dim : tensor.shape()) {
        promise(dim >= 1 && dim <= kMaxDimension);
        elements *= static_cast<Wide>(dim);
        promise(elements <= static_cast<Wide>(INT64_MAX));
    }
    promise(elements == static_cast<Wide>(tensor.elements()));
    const quant::TypeInfo& type = quant::typeInfo(tensor.type);
    promise(tensor.dims[0] % type.blockValues == 0);
    return elements / type.blockValues * type.blockBytes;
}

void checkTensors(const File& file, std::size_t size) {
    std::vector<const TensorInfo*> tensors;
    for (const TensorInfo& tensor : file.tensors()) {
        promise(tensor.rank >= 1 && tensor.rank <= kMaxRank);
        promise(!tensor.name.empty() && tensor.name.size() <= kMaxTensorNameBytes);
        promise(sizeOf(tensor) == static_cast<Wide>(tensor.bytes));
        promise(tensor.offset >= file.dataOffset() && tensor.offset % file.alignment() == 0);
        promise(static_cast<Wide>(tensor.offset) + static_cast<Wide>(tensor.bytes) <=
                static_cast<Wide>(size));
        promise(file.tensor(tensor.name) == &tensor);
        tensors.push_back(&tensor);
    }
    std::ranges::sort(tensors, {}, [](const TensorInfo* tensor) { return tensor->offset; });
    for (std::size_t i = 1; i < tensors.size(); ++i) {
        promise(tensors[i - 1]->offset + tensors[i - 1]->bytes <= tensors[i]->offset);
    }
}

void checkText(std::string_view text) {
    promise(text.find('\0') == std::string_view::npos && utf8::isValid(text));
}

void checkMetadata(const Metadata& metadata) {
    for (std::size_t i = 0; i < metadata.size(); ++i) {
        const std::string_view key = metadata.key(i);
        promise(!key.empty() && metadata.find(key) == i);
        checkText(key);
        checkText(metadata.toString(i));
        if (const auto text = metadata.text(key)) checkText(*text);
        const auto texts = metadata.texts(key);
        for (std::size_t k = 0; texts.ok() && k < texts->size(); ++k)
            checkText((*texts)[k]);
        if (metadata.type(i) == ValueType::Array) promise(metadata.arrayLength(key).has_value());
    }
}

void checkRoundTrip(const File& file, std::span<const std::byte> bytes) {
    WriteOptions options;
    options.version = file.version();
    options.byteOrder = file.byteOrder();
    Writer writer(options);
    writer.metadata() = file.metadata().clone();
    for (const TensorInfo& tensor : file.tensors()) {
        writer.addTensor(tensor.name, tensor.type, tensor.shape(),
                         bytes.subspan(tensor.offset, tensor.bytes));
    }
    const auto written = writer.toBytes();
    promise(written.ok());
    const auto again = File::parse(MemorySource(*written));
    promise(again.ok() && again->metadata() == file.metadata());
    promise(again->tensors().size() == file.tensors().size());
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
        const TensorInfo& before = file.tensors()[i];
        const TensorInfo& after = again->tensors()[i];
        promise(before.name == after.name && before.type == after.type && before.bytes == after.bytes);
        promise(std::ranges::equal(before.shape(), after.shape()));
        promise(std::ranges::equal(bytes.subspan(before.offset, before.bytes),
                                   std::span(*written).subspan(after.offset, after.bytes)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto result = File::parse(MemorySource(bytes));
    ParseOptions narrow;
    narrow.windowBytes = 1;
    promise(test::saySame(result, File::parse(MemorySource(bytes), narrow)));
    if (!result.ok()) {
        promise(!result.error().message().empty() && !result.error().action().empty());
        return 0;
    }
    const auto lean = parseLean(MemorySource(bytes));
    promise(lean.ok() && lean->tensors().size() == result->tensors().size());
    for (std::size_t i = 0; i < result->tensors().size(); ++i)
        promise(lean->tensors()[i].offset == result->tensors()[i].offset);
    checkMetadata(lean->metadata());
    checkTensors(*result, size);
    checkMetadata(result->metadata());
    checkRoundTrip(*result, bytes);
    return 0;
}
