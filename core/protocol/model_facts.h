// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the header of a model file tells about memory and speed: everything that an estimate needs, so that
// the main process need not read the file itself. Made by core/host/model_facts.h in the sandboxed probe;
// whoever receives it must expect any numbers in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/protocol/wire.h"

namespace loader::protocol {

/// The weights of one layer. @unit bytes
struct LayerFacts {
    std::uint64_t mixerBytes = 0;
    std::uint64_t feedForwardBytes = 0;
    /// Of feedForwardBytes, the matrices of experts.
    std::uint64_t expertBytes = 0;
    /// Of all of them, what one token reads: of experts only those that are used.
    std::uint64_t tokenBytes = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.mixerBytes);
        visit(self.feedForwardBytes);
        visit(self.expertBytes);
        visit(self.tokenBytes);
    }
};

/// What the KV cache keeps for one attention layer.
struct KvFacts {
    std::uint32_t layer = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t keyLength = 0;
    std::uint32_t valueLength = 0;
    /// A token sees itself and window - 1 earlier ones; 0 means all.
    std::uint32_t window = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.layer);
        visit(self.kvHeads);
        visit(self.keyLength);
        visit(self.valueLength);
        visit(self.window);
    }
};

/// How large a back end's own plan says that the buffers of this model are, as a formula:
///   compute = fixedBytes + itemBytes × batch + threadBytes × threads + min(limitBytes, limitedBytes × batch)
/// (the last part is a buffer with an upper limit).
struct PlanFacts {
    std::string backend;
    std::uint64_t fixedBytes = 0;
    std::uint64_t itemBytes = 0;
    std::uint64_t threadBytes = 0;
    std::uint64_t limitedBytes = 0;
    std::uint64_t limitBytes = 0;
    std::uint64_t outputBytes = 0;
    /// Of the KV cache of all layers for one position of one sequence. @shape [graph::KvType]
    std::vector<std::uint64_t> kvBytes;
    /// One sentence for each thing that the back end cannot run.
    std::vector<std::string> unsupported;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.backend);
        visit(self.fixedBytes);
        visit(self.itemBytes);
        visit(self.threadBytes);
        visit(self.limitedBytes);
        visit(self.limitBytes);
        visit(self.outputBytes);
        visit(self.kvBytes);
        visit(self.unsupported);
    }
};

/// Sizes of the word list, which is not read for an estimate.
struct WordListFacts {
    /// "llama", "gpt2", "bert"; empty where the file has none.
    std::string kind;
    std::uint64_t tokens = 0;
    std::uint64_t textBytes = 0;
    std::uint64_t merges = 0;
    bool scores = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.kind);
        visit(self.tokens);
        visit(self.textBytes);
        visit(self.merges);
        visit(self.scores);
    }
};

/// What most products with weights are computed in.
enum class ProductKind : std::uint8_t { Int8, Int16, Float };
template <>
struct LastOf<ProductKind> {
    static constexpr auto value = ProductKind::Float;
};

struct ModelFacts {
    std::string name;
    std::string architecture;
    /// The tensor type that holds most values: "Q4_K".
    std::string mainType;
    std::uint64_t parameters = 0;
    /// Of all parts.
    std::uint64_t fileBytes = 0;
    /// Of them, in front of the tensor data.
    std::uint64_t headerBytes = 0;
    std::uint32_t tensors = 0;
    /// The file has the other byte order: it cannot be mapped, only read into memory.
    bool foreignByteOrder = false;

    std::uint32_t width = 0;
    std::uint32_t vocabulary = 0;
    std::uint32_t trainedContext = 0;
    /// No position at or beyond this can be computed; 0 means no such limit.
    std::uint32_t positionLimit = 0;

    /// Every tensor that is used, once.
    std::uint64_t weightBytes = 0;
    std::uint64_t embeddingBytes = 0;
    std::uint64_t headBytes = 0;
    /// What embedding and head have in common.
    std::uint64_t sharedBytes = 0;
    /// As many as the model has layers.
    std::vector<LayerFacts> layers;
    std::vector<KvFacts> kv;
    /// Sum of the widths of all activations of a token. @unit floats
    std::uint64_t activationFloats = 0;
    std::vector<PlanFacts> plans;
    WordListFacts words;

    /// Weights that one generated token reads. @unit bytes
    std::uint64_t tokenBytes = 0;
    /// Products with weights for one token of a prompt, without the head, which only the last one needs.
    std::uint64_t products = 0;
    std::uint64_t headProducts = 0;
    ProductKind productKind = ProductKind::Float;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
        visit(self.architecture);
        visit(self.mainType);
        visit(self.parameters);
        visit(self.fileBytes);
        visit(self.headerBytes);
        visit(self.tensors);
        visit(self.foreignByteOrder);
        visit(self.width);
        visit(self.vocabulary);
        visit(self.trainedContext);
        visit(self.positionLimit);
        visit(self.weightBytes);
        visit(self.embeddingBytes);
        visit(self.headBytes);
        visit(self.sharedBytes);
        visit(self.layers);
        visit(self.kv);
        visit(self.activationFloats);
        visit(self.plans);
        visit(self.words);
        visit(self.tokenBytes);
        visit(self.products);
        visit(self.headProducts);
        visit(self.productKind);
    }
};

}  // namespace loader::protocol
