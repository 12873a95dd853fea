// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker that was taken over may send: bytes are cut into frames and checked as the application does,
// in every stage of a conversation. Whatever passes must keep the promises that the application relies on.

#include <cstdlib>

#include "core/engine/base/utf8.h"
#include "core/protocol/session.h"

namespace {

using namespace loader;
using namespace loader::protocol;

constexpr std::uint32_t kVocabulary = 300;
constexpr std::uint64_t kTokens = 50;
constexpr std::uint64_t kCredit = 4096;
/// Metadata entries and tensors together.
constexpr std::uint64_t kEntries = 20;

/// Brings the view to a stage by what an honest worker would have sent.
void advance(WorkerView& view, std::uint8_t stage) {
    const auto take = [&view](MessageType type, std::vector<std::byte> payload) {
        if (!view.accept({type, 0, 0, std::move(payload), 0}).ok()) std::abort();
    };
    if (stage < 1) return;
    if (!view.sending(MessageType::Hello, 0).ok()) std::abort();
    if (stage < 2) return;
    take(MessageType::Ready, encode(Ready{kProtocolVersion, {}}));
    if (stage == 2) {
        ignoreErrorBecause("the stage allows it", view.sending(MessageType::ListBackends, 1));
        ignoreErrorBecause("the stage allows it", view.sending(MessageType::ProbeBackend, 2));
        ignoreErrorBecause("the stage allows it", view.sending(MessageType::ReadHeader, 3));
        ignoreErrorBecause("the stage allows it", view.sending(MessageType::ReadIndex, 4));
        RequestLimits pages;
        pages.values = kEntries;
        ignoreErrorBecause("the stage allows it", view.sending(MessageType::ReadDetails, 5, pages));
        return;
    }
    if (!view.sending(MessageType::LoadModel, 0).ok()) std::abort();
    if (stage < 4) return;
    Loaded loaded;
    loaded.vocabulary = kVocabulary;
    take(MessageType::Loaded, encode(loaded));
    RequestLimits limits;
    limits.vocabulary = kVocabulary;
    limits.tokens = kTokens;
    limits.prompt = 20;
    limits.credit = kCredit;
    limits.values = kVocabulary;
    for (const auto& [type, request] :
         {std::pair(MessageType::Generate, 1u), std::pair(MessageType::Prepare, 2u),
          std::pair(MessageType::Score, 3u)})
        if (!view.sending(type, request, limits).ok()) std::abort();
    ignoreErrorBecause("a ping is always allowed", view.sending(MessageType::Ping, 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    WorkerView view;
    advance(view, data[0] % 5);
    const std::size_t step = 1 + data[1];
    FrameParser parser(Sender::Worker);
    std::uint64_t tokens = 0;
    std::uint64_t text = 0;
    std::uint64_t entries = 0;
    for (std::size_t at = 2; at < size; at += step) {
        const auto part = std::as_bytes(std::span(data + at, std::min(step, size - at)));
        if (!parser.push(part).ok()) return 0;
        while (auto frame = parser.next()) {
            auto incoming = view.accept(*frame);
            if (!incoming.ok()) return 0;
            if (const auto* page = std::get_if<FileDetails>(&incoming->message)) {
                entries += page->metadata.size() + page->tensors.size();
                if (entries > kEntries) std::abort();
            }
            const auto* piece = std::get_if<Piece>(&incoming->message);
            if (!piece) continue;
            if (piece->token && (*piece->token < 0 || *piece->token >= static_cast<TokenId>(kVocabulary)))
                std::abort();
            tokens += piece->token ? 1 : 0;
            text += piece->text.size();
            if (tokens > kTokens || text > kCredit || !utf8::isValid(piece->text)) std::abort();
        }
    }
    return 0;
}
