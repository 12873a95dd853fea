// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How long lists and searches of chats take: bench_chats [FOLDER] [MESSAGES…]. Figures to reach: the list of
// 10,000 chats in 200 ms, a search in 10,000 messages in 100 ms and in 1,000,000 in 300 ms.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "core/app/chats/chat_store.h"

using namespace loader;
using namespace loader::app;

namespace {

constexpr std::size_t kMessagesPerChat = 20;
constexpr int kRepeats = 9;

double millisecondsOf(const std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// Words as language has them: few that are frequent, many that are rare.
class Words {
public:
    std::string sentence(std::size_t words) {
        std::string text;
        for (std::size_t i = 0; i < words; ++i)
            text += (text.empty() ? "w" : " w") + std::to_string(next());
        return text;
    }

private:
    std::uint32_t next() {
        const double uniform = std::uniform_real_distribution<double>(0, 1)(m_random);
        return static_cast<std::uint32_t>(std::min(1e6, 1.0 / (uniform + 1e-6)));
    }
    std::mt19937 m_random{5};
};

Status fill(ChatStore& store, std::size_t messages) {
    Words words;
    std::vector<ImportedConversation> chats;
    std::size_t made = 0;
    for (std::size_t i = 0; made < messages; ++i) {
        ImportedConversation chat;
        chat.identity = "bench:" + std::to_string(i);
        chat.title = words.sentence(5);
        for (std::size_t k = 0; k < kMessagesPerChat && made < messages; ++k, ++made) {
            const bool question = k % 2 == 0;
            ImportedMessage message{
                question ? "user" : "assistant", words.sentence(question ? 15 : 80), {}, {}, 1000, {}};
            if (k > 0) message.parent = k - 1;
            chat.messages.push_back(std::move(message));
        }
        chats.push_back(std::move(chat));
        if (chats.size() == 1000 || made >= messages) {
            auto counts = store.importAll(chats);
            if (!counts) return std::move(counts).error();
            chats.clear();
        }
    }
    return {};
}

template <class Work>
void measure(const char* name, double limit, const Work& work) {
    std::vector<double> times;
    std::size_t found = 0;
    for (int i = 0; i < kRepeats; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        found = work();
        times.push_back(millisecondsOf(begin));
    }
    const double first = times.front();
    std::sort(times.begin(), times.end());
    std::printf("  %-34s %6zu hits  first %7.2f ms  median %7.2f ms  most %7.2f ms  (at most %.0f ms)\n",
                name, found, first, times[times.size() / 2], times.back(), limit);
}

int run(const std::string& folder, std::size_t messages) {
    const std::string path = folder + "/chats-" + std::to_string(messages) + ".db";
    std::filesystem::remove(path);
    {
        auto made = ChatStore::open(path);
        if (!made) return std::fprintf(stderr, "%s\n", made.error().toString().c_str()), 1;
        const auto begin = std::chrono::steady_clock::now();
        const Status filled = fill(**made, messages);
        if (!filled) return std::fprintf(stderr, "%s\n", filled.error().toString().c_str()), 1;
        std::printf("%zu messages written in %.1f s\n", messages, millisecondsOf(begin) / 1000);
    }
    const auto begin = std::chrono::steady_clock::now();
    auto opened = ChatStore::open(path);
    if (!opened) return std::fprintf(stderr, "%s\n", opened.error().toString().c_str()), 1;
    ChatStore& store = **opened;
    std::printf("  opened in %.0f ms%s, %.0f MiB\n", millisecondsOf(begin),
                store.checkedWhole() ? "" : " (check cut off)",
                static_cast<double>(std::filesystem::file_size(path)) / 1048576);
    const auto limit = messages > 100'000 ? 300.0 : 100.0;
    measure("list of 10,000 chats", 200, [&] {
        ChatListOptions options;
        options.limit = 10'000;
        const auto list = store.list(options);
        return list ? list->size() : 0;
    });
    const auto hits = [&store](const char* words) {
        const auto found = store.search(words);
        return found ? found->hits.size() : 0;
    };
    measure("word in every message: w1", limit, [&] { return hits("w1 "); });
    measure("frequent: w12", limit, [&] { return hits("w12 "); });
    measure("rare: w54321", limit, [&] { return hits("w54321 "); });
    measure("nowhere: zebra", limit, [&] { return hits("zebra "); });
    measure("beginning of many: w1...", limit, [&] { return hits("w1"); });
    measure("beginning: w12345...", limit, [&] { return hits("w12345"); });
    measure("two frequent: w1 w2", limit, [&] { return hits("w1 w2 "); });
    measure("two that seldom meet: w700 w900", limit, [&] { return hits("w700 w900 "); });
    measure("side by side: \"w1 w2 w3\"", limit, [&] { return hits("\"w1 w2 w3\""); });
    measure("side by side, seldom: \"w90 w80\"", limit, [&] { return hits("\"w90 w80\""); });
    measure("one message more, stored", 50, [&] {
        NewMessage message;
        message.role = "user";
        message.text = "one more";
        return store.append(1, message) ? 1u : 0u;
    });
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
    std::vector<std::size_t> sizes;
    for (int i = 2; i < argc; ++i)
        sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    if (sizes.empty()) sizes = {10'000, 200'000, 1'000'000};
    for (const std::size_t size : sizes)
        if (run(folder, size) != 0) return 1;
    return 0;
}
