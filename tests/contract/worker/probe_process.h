// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Starts sandbox_probe as a child, with chosen descriptors and environment, and tells how it ended.
#pragma once

#include <sys/types.h>

#include <QByteArray>
#include <QStringList>
#include <vector>

namespace loader::test {

/// The number under which a test passes its descriptor.
inline constexpr int kPassedDescriptor = 10;

struct ProbeStart {
    QStringList arguments;
    /// Becomes kPassedDescriptor in the child; -1: none.
    int descriptor = -1;
    QStringList environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    /// Where a core dump would be written, and whether it may be.
    QString folder = {};
    bool allowCoreDump = false;
};

struct ProbeEnd {
    /// -1 where a signal ended it.
    int status = -1;
    int signal = 0;
    bool dumpedCore = false;
    QByteArray output;
    /// The first line, or "killed SIGNAL" where there is none.
    QString verdict() const;
};

/// @thread confined
class ProbeProcess {
public:
    explicit ProbeProcess(const ProbeStart& start);
    /// Kills the child if it still runs.
    ~ProbeProcess();
    ProbeProcess(const ProbeProcess&) = delete;
    ProbeProcess& operator=(const ProbeProcess&) = delete;

    pid_t id() const { return m_child; }
    /// Empty where the child ended or nothing came within a minute.
    QByteArray readLine();
    void closeInput();
    /// Reads what is left and waits for the end; kills when nothing comes for a minute.
    ProbeEnd finish();

private:
    QByteArray readSome();

    pid_t m_child = -1;
    int m_input = -1;
    int m_output = -1;
    QByteArray m_pending;
};

/// Starts, closes the input, finishes.
ProbeEnd runProbe(const ProbeStart& start);

}  // namespace loader::test
