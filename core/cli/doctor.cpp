// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf doctor: looks for what keeps models from running, and writes the one file that a helper asks for.

#include "core/app/diagnostics/support_report.h"
#include "core/cli/bench_records.h"
#include "core/cli/context.h"
#include "core/engine/base/atomic_file.h"

namespace loader::cli {
namespace {

/// Variables that change what this program does.
constexpr const char* kOverrides[] = {"GGUF_BACKEND",       "GGUF_GPU_ENABLED", "GGUF_DEBUG",
                                      "GGUF_LOADER_MODELS", "VK_DRIVER_FILES",  "VK_ICD_FILENAMES"};

app::SupportQuery queryOf(const Context& context) {
    app::SupportQuery query;
    query.version = LOADER_VERSION;
    query.worker = workerOptions();
    query.probes = probeMemory(true);
    query.hardware = hardwareQuery(context, !context.arguments.has("quick"));
    query.logFolder = logFolder();
    query.dataFolder = dataFolder();
    for (const char* name : kOverrides) {
        const std::string value = environment(name);
        if (!value.empty()) query.overrides.push_back(std::string(name) + "=" + value);
    }
    return query;
}

Status writeFile(const std::string& path, const std::string& text) {
    LOADER_TRY(const auto file, AtomicFile::create(path));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

void printFindings(Output& output, const Json& findings) {
    if (findings.empty()) output.write("Nothing was found that keeps models from running.\n");
    for (const Json& finding : findings) {
        output.write(finding["weight"].get<std::string>() + ": " + finding["sentence"].get<std::string>() +
                     "\n  " + finding["remedy"].get<std::string>() + "\n");
    }
}

std::string asText(const Json& report, bool json) {
    return json ? report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"
                : app::supportText(report);
}

}  // namespace

Result<int> doctorCommand(Context& context) {
    Output& output = context.output;
    LOADER_TRY(const app::SupportFacts facts, app::readSupportFacts(queryOf(context), context.cancel));
    const app::Redactor redactor(app::readIdentity(homeFolder(), environment("USER")));
    const Json report = app::supportJson(facts, redactor);
    const auto place = context.arguments.text("out");
    if (place) LOADER_CHECK(writeFile(*place, asText(report, output.json())));
    if (output.json()) {
        output.writeJson(place ? Json{{"out", *place}, {"findings", report["findings"]}} : report);
    } else if (place) {
        printFindings(output, report["findings"]);
        output.write("The report is in " + *place + "; look at it before you send it.\n");
    } else {
        output.write(app::supportText(report));
    }
    return 0;
}

}  // namespace loader::cli
