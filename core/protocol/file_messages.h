// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the sandboxed probe is asked about model files for the library and the inspector: the few facts of one
// file that a list shows, and everything that stands in a header, page by page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/protocol/wire.h"

namespace loader::protocol {

/// Texts of a file are cut after so many bytes.
inline constexpr std::size_t kMostIndexText = 1024;
inline constexpr std::size_t kMostDetailText = 16384;
/// Elements of an array that are shown.
inline constexpr std::size_t kMostDetailElements = 64;

/// One file, which comes as a read-only descriptor: the parts of a split set are asked for one by one.
struct ReadIndex {
    std::string name;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
    }
};

/// How much of a file has one tensor type.
struct TypeShare {
    std::string type;
    std::uint64_t bytes = 0;
    std::uint64_t values = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.type);
        visit(self.bytes);
        visit(self.values);
    }
};

/// Whoever receives it must expect any numbers and words in it.
struct IndexFacts {
    std::string name;
    std::string baseName;
    std::string sizeLabel;
    std::string fineTune;
    std::string architecture;
    /// This version has a description of the architecture.
    bool known = false;
    /// "an adapter", "a vision projector"; empty for a model.
    std::string sideFile;
    /// "llama", "gpt2"; empty where the file has no word list.
    std::string words;
    bool hasTemplate = false;
    std::uint32_t version = 0;
    /// The file has the other byte order.
    bool foreignByteOrder = false;
    std::uint64_t headerBytes = 0;
    std::uint32_t tensors = 0;
    std::uint64_t parameters = 0;
    std::vector<TypeShare> types;
    /// 0 where the file does not say.
    std::uint32_t layers = 0;
    std::uint32_t trainedContext = 0;
    std::uint32_t width = 0;
    /// Of a part of a split set, counted from 0, and how many there are; both 0 for a single file.
    std::uint32_t splitNumber = 0;
    std::uint32_t splitCount = 0;
    std::uint32_t warnings = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
        visit(self.baseName);
        visit(self.sizeLabel);
        visit(self.fineTune);
        visit(self.architecture);
        visit(self.known);
        visit(self.sideFile);
        visit(self.words);
        visit(self.hasTemplate);
        visit(self.version);
        visit(self.foreignByteOrder);
        visit(self.headerBytes);
        visit(self.tensors);
        visit(self.parameters);
        visit(self.types);
        visit(self.layers);
        visit(self.trainedContext);
        visit(self.width);
        visit(self.splitNumber);
        visit(self.splitCount);
        visit(self.warnings);
    }
};

/// The parts of a model come as read-only descriptors in the order of these names. Side files are accepted.
struct ReadDetails {
    std::vector<std::string> parts;
    /// Overrides general.architecture where not empty.
    std::string architecture;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.parts);
        visit(self.architecture);
    }
};

struct MetadataEntry {
    std::string key;
    /// "u32", "string", "array of f32".
    std::string type;
    /// Elements of an array, 1 otherwise.
    std::uint64_t count = 1;
    /// The value as JSON text: a number, a text, or a list of the first elements.
    std::string json;
    /// Not all of the value is there.
    bool cut = false;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.key);
        visit(self.type);
        visit(self.count);
        visit(self.json);
        visit(self.cut);
    }
};

struct TensorEntry {
    std::string name;
    std::string type;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
    std::uint32_t part = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
        visit(self.type);
        visit(self.shape);
        visit(self.bytes);
        visit(self.offset);
        visit(self.part);
    }
};

/// A key that files of this kind usually have and this one has not.
struct MissingKey {
    std::string key;
    /// Without it the model cannot be run.
    bool needed = false;
    /// What cannot be done, or is guessed, without it: a sentence.
    std::string effect;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.key);
        visit(self.needed);
        visit(self.effect);
    }
};

/// A page of what stands in a header; the last one has what is said of the whole.
struct FileDetails {
    std::vector<MetadataEntry> metadata;
    std::vector<TensorEntry> tensors;
    bool last = false;
    std::uint64_t fileBytes = 0;
    std::uint64_t alignment = 0;
    std::vector<Error> warnings;
    std::vector<MissingKey> missing;
    /// Of all parts together.
    IndexFacts summary;
    /// Why no back end could run it: at most one, what lowering says.
    std::vector<Error> refusal;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.metadata);
        visit(self.tensors);
        visit(self.last);
        visit(self.fileBytes);
        visit(self.alignment);
        visit(self.warnings);
        visit(self.missing);
        visit(self.summary);
        visit(self.refusal);
    }
};

}  // namespace loader::protocol
