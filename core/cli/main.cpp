// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The program `gguf`: finds the command, makes signals into a cancel flag, and turns errors into exit
// statuses.

#include <QCoreApplication>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include "core/cli/commands.h"
#include "core/cli/context.h"
#include "core/cli/migration_access.h"

namespace {

using namespace loader;
using namespace loader::cli;

CancelFlag g_interrupted;

/// The first Ctrl-C asks; the second one ends the program the usual way.
void onInterrupt(int number) {
    g_interrupted.request();
    std::signal(number, SIG_DFL);
}

void installSignals() {
#ifndef _WIN32
    // Not std::signal: an interrupted read of standard input must return, so that a chat can end.
    struct sigaction action {};
    action.sa_handler = onInterrupt;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
#else
    std::signal(SIGINT, onInterrupt);
#endif
}

int runCommandLine(const std::vector<std::string>& words, Output& output) {
    if (words.empty() || words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
        output.write(helpOfAll(allCommands()));
        return words.empty() ? 2 : 0;
    }
    if (words.front() == "--version") {
        output.write("gguf " LOADER_VERSION "\n");
        return 0;
    }
    const auto fail = [&output](const Error& error) {
        output.error(error);
        return exitStatusOf(error);
    };
    const CommandSpec* command = findCommand(words.front());
    if (!command) return fail(Error(Errc::X001, {"There is no command " + words.front() + "."}));
    const auto rest = std::span(words).subspan(1);
    const bool asksHelp = std::find(rest.begin(), rest.end(), "--help") != rest.end() ||
                          std::find(rest.begin(), rest.end(), "-h") != rest.end();
    if (!command->run && !asksHelp) {
        return fail(
            Error(Errc::X004, {"gguf " + std::string(command->name), "See gguf --help for what is."}));
    }
    auto arguments = Arguments::parse(*command, rest);
    if (!arguments.ok()) return fail(arguments.error());
    if (arguments->has("help")) {
        output.write(helpOf(*command));
        return 0;
    }
    noteOlderSettings(output, command->name);
    Context context{*arguments, output, g_interrupted};
    auto status = command->run(context);
    // A closed pipe is how a reader says that it has enough.
    if (output.readerGone()) return 0;
    if (!status.ok()) return fail(status.error());
    const auto written = output.status();
    return written.ok() ? *status : fail(written.error());
}

}  // namespace

int main(int count, char** values) {
    const QCoreApplication application(count, values);
    installSignals();
    const std::vector<std::string> words(values + std::min(count, 1), values + count);
    const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
    Output output(json);
    try {
        return runCommandLine(words, output);
    } catch (const std::exception& failure) {
        const Error error(Errc::X003, {failure.what()});
        output.error(error);
        return exitStatusOf(error);
    }
}
