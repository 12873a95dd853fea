// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf inspect: what a file says about itself. Reads headers only.

#include "core/cli/context.h"
#include "core/engine/base/memory_facts.h"
#include "core/engine/gguf/keys.h"
#include "core/host/file_details.h"

namespace loader::cli {
namespace {

std::string shapeText(const gguf::TensorInfo& tensor) {
    std::string text;
    for (const std::uint64_t dimension : tensor.shape()) {
        if (!text.empty()) text += " x ";
        text += std::to_string(dimension);
    }
    return text;
}

std::string_view orderName(gguf::ByteOrder order) {
    return order == gguf::ByteOrder::Little ? "little" : "big";
}

Json scalarJson(const gguf::Scalar& scalar) {
    if (scalar.type == gguf::ValueType::Bool) return scalar.bits != 0;
    if (!scalar.isInteger()) return scalar.real();
    if (scalar.isSigned()) return static_cast<std::int64_t>(scalar.bits);
    return scalar.bits;
}

/// The whole value: a number, a text or a list.
Json valueJson(const gguf::Metadata& metadata, std::size_t index) {
    const std::string_view key = metadata.key(index);
    if (const auto text = metadata.text(key)) return *text;
    if (const auto scalar = metadata.scalar(key)) return scalarJson(*scalar);
    Json list = Json::array();
    if (const auto numbers = metadata.numbers(key)) {
        for (std::size_t i = 0; i < numbers->count; ++i)
            list.push_back(scalarJson((*numbers)[i]));
        return list;
    }
    const auto texts = metadata.texts(key);
    if (!texts.ok()) return nullptr;
    for (std::size_t i = 0; i < texts->size(); ++i)
        list.push_back((*texts)[i]);
    return list;
}

/// Lists of word lists would bury everything else: of long ones only the length.
Json shortValueJson(const gguf::Metadata& metadata, std::size_t index) {
    constexpr std::size_t kWhole = 64;
    const auto length = metadata.arrayLength(metadata.key(index));
    if (length && *length > kWhole)
        return {{"type", gguf::valueTypeName(metadata.elementType(index))}, {"length", *length}};
    return valueJson(metadata, index);
}

Json tensorJson(const gguf::TensorInfo& tensor) {
    return {{"name", tensor.name},
            {"type", quant::typeName(tensor.type)},
            {"shape", std::vector<std::uint64_t>(tensor.shape().begin(), tensor.shape().end())},
            {"bytes", tensor.bytes},
            {"offset", tensor.offset},
            {"part", tensor.shard}};
}

Json summaryJson(const gguf::ModelFile& file, const std::string& path) {
    const auto types = host::typeShares(file.tensors());
    std::uint64_t parameters = 0;
    for (const protocol::TypeShare& share : types)
        parameters += share.values;
    Json json = {{"path", path},
                 {"version", file.shard(0).version()},
                 {"byte_order", orderName(file.byteOrder())},
                 {"bytes", file.fileBytes()},
                 {"parts", file.shards()},
                 {"architecture", file.metadata().text(gguf::keys::kArchitecture).value_or("")},
                 {"type", host::mainType(types)},
                 {"parameters", parameters},
                 {"tensor_count", file.tensors().size()}};
    json["types"] = Json::object();
    for (const protocol::TypeShare& share : types)
        json["types"][share.type] = share.bytes;
    json["warnings"] = Json::array();
    for (const Error& warning : file.warnings())
        json["warnings"].push_back(errorJson(warning));
    return json;
}

Result<int> printValue(Context& context, const gguf::ModelFile& file, const std::string& key) {
    const gguf::Metadata& metadata = file.metadata();
    const auto index = metadata.find(key);
    if (!index) return Error(Errc::M110, {key}, context.arguments.operands().front());
    if (context.output.json()) {
        context.output.writeJson({{"key", key}, {"value", valueJson(metadata, *index)}});
        return 0;
    }
    const std::size_t all = metadata.arrayLength(key).value_or(1);
    context.output.write(metadata.toString(*index, all) + "\n");
    return 0;
}

void printSummary(Output& output, const gguf::ModelFile& file, const Json& summary) {
    std::string types;
    for (const auto& [type, bytes] : summary["types"].items())
        types += (types.empty() ? "" : ", ") + type + " " + sizeText(bytes.get<std::uint64_t>());
    output.write("File:          " + summary["path"].get<std::string>() + "\nFormat:        GGUF version " +
                 summary["version"].dump() + ", " + std::string(orderName(file.byteOrder())) +
                 "-endian\nSize:          " + sizeText(file.fileBytes()) + " in " +
                 std::to_string(file.shards()) + (file.shards() == 1 ? " part" : " parts") +
                 "\nArchitecture:  " + summary["architecture"].get<std::string>() +
                 "\nParameters:    " + summary["parameters"].dump() +
                 "\nTensors:       " + std::to_string(file.tensors().size()) + " (" + types + ")\n");
    for (const Error& warning : file.warnings())
        output.write("Warning:       " + warning.toString() + "\n");
    output.write("\nMetadata:\n");
    const gguf::Metadata& metadata = file.metadata();
    for (std::size_t i = 0; i < metadata.size(); ++i)
        output.write("  " + std::string(metadata.key(i)) + " = " + metadata.toString(i) + "\n");
}

void printTensors(Output& output, const gguf::ModelFile& file) {
    output.write("\nTensors:\n");
    for (const gguf::TensorInfo& tensor : file.tensors())
        output.write("  " + std::string(tensor.name) + "  " + std::string(quant::typeName(tensor.type)) +
                     "  " + shapeText(tensor) + "  " + sizeText(tensor.bytes) + "\n");
}

}  // namespace

Result<int> inspectCommand(Context& context) {
    const Arguments& arguments = context.arguments;
    LOADER_TRY(const std::string path, modelPath(context));
    LOADER_TRY(const auto file, gguf::ModelFile::open(path, {true}));
    if (const auto key = arguments.text("metadata")) return printValue(context, *file, *key);
    std::string program;
    if (arguments.has("program")) {
        auto lowered =
            arch::lower(file->metadata(), file->tensors(), arguments.text("architecture").value_or(""));
        if (!lowered.ok()) return std::move(lowered).error().within(path);
        program = graph::dump(lowered->program);
    }
    Json summary = summaryJson(*file, path);
    if (!context.output.json()) {
        if (arguments.has("program")) {
            context.output.write(program);
            return 0;
        }
        printSummary(context.output, *file, summary);
        if (arguments.has("tensors")) printTensors(context.output, *file);
        return 0;
    }
    summary["metadata"] = Json::object();
    for (std::size_t i = 0; i < file->metadata().size(); ++i)
        summary["metadata"][std::string(file->metadata().key(i))] = shortValueJson(file->metadata(), i);
    if (arguments.has("tensors")) {
        summary["tensors"] = Json::array();
        for (const gguf::TensorInfo& tensor : file->tensors())
            summary["tensors"].push_back(tensorJson(tensor));
    }
    if (arguments.has("program")) summary["program"] = program;
    context.output.writeJson(summary);
    return 0;
}

}  // namespace loader::cli
