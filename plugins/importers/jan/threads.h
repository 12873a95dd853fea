// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A conversation of Jan: thread.json, and messages.jsonl beside it with one message per line.
#pragma once

#include <string>

#include "core/app/import/import_sink.h"
#include "core/engine/base/result.h"

namespace loader::importers::jan {

/// @errors C501, C502, F802, F804
Status readThread(const std::string& path, app::ImportSink& sink);

}  // namespace loader::importers::jan
