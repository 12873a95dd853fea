// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Files that a repository should not hold as they are: databases, made from "x.sqlite.sql", and chats of
// GPT4All, made from "x.chat.json". The texts themselves go.
#pragma once

#include <string>

#include "core/app/storage/json_text.h"

namespace loader::test {

/// Below a folder. @return what went wrong; empty where all is well
std::string makeFiles(const std::string& root);

/// A .chat file as GPT4All writes it; the form of the description is that of tests/data/importers/gpt4all.
std::string gpt4AllChat(const app::Json& description);

}  // namespace loader::test
