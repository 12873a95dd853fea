// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32

#include <windows.h>
// windows.h comes first
#include <psapi.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/app/worker_client/worker_process.h"

namespace loader::app {
namespace {

using protocol::Descriptor;

/// What a process that we end leaves as its status; none of the system's own.
constexpr DWORD kKilled = 0xE0474755;

struct ExceptionName {
    DWORD code;
    const char* words;
};
/// @source Microsoft, "NTSTATUS Values" ([MS-ERREF] 2.3.1)
constexpr ExceptionName kExceptions[] = {
    {0x80000003, "breakpoint"},
    {0xC0000005, "access violation"},
    {0xC0000006, "a page of a file could not be read"},
    {0xC0000017, "no memory"},
    {0xC000001D, "illegal instruction"},
    {0xC0000025, "an exception that cannot be continued"},
    {0xC000008E, "floating-point division by zero"},
    {0xC0000094, "integer division by zero"},
    {0xC0000096, "privileged instruction"},
    {0xC00000FD, "stack overflow"},
    {0xC000012D, "no memory"},
    {0xC0000135, "a library is missing"},
    {0xC0000139, "a library lacks a function"},
    {0xC000013A, "interrupted"},
    {0xC0000142, "a library did not start"},
    {0xC0000374, "the heap is damaged"},
    {0xC0000409, "it ended itself at once"},
    {0xE06D7363, "an exception of C++"},
    {0x20474343, "an exception of C++"},
};

HANDLE handleOf(const Descriptor& descriptor) {
    return reinterpret_cast<HANDLE>(descriptor.get());
}

/// Owner of a handle; of nothing where the system gave none.
Descriptor owned(HANDLE handle) {
    if (handle == nullptr) return {};
    return Descriptor(reinterpret_cast<std::intptr_t>(handle));
}

Error notStarted(const std::string& program) {
    return Error(Errc::W604, {"error " + std::to_string(GetLastError())}, program);
}

ProcessEnd endOf(DWORD status) {
    if (status == kKilled) return {"killed", true};
    const auto known = std::ranges::find(kExceptions, status, &ExceptionName::code);
    const bool isKnown = known != std::end(kExceptions);
    // The two high bits of a status of the system say that it is an error.
    if (!isKnown && status < 0xC0000000) return {"exit status " + std::to_string(status), false};
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string words = "exception 0x";
    for (int shift = 28; shift >= 0; shift -= 4)
        words += kDigits[(status >> shift) & 15];
    if (isKnown) words += std::string(" (") + known->words + ")";
    return {words, true};
}

std::wstring widen(const std::string& text) {
    const int bytes = static_cast<int>(text.size());
    const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0);
    std::wstring wide(static_cast<std::size_t>(length), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, wide.data(), length);
    return wide;
}

/// One word of a command line: backslashes count only before a quotation mark.
std::wstring quoted(const std::wstring& word) {
    std::wstring text = L"\"";
    std::size_t slashes = 0;
    for (const wchar_t letter : word) {
        if (letter == L'"') text.append(slashes + 1, L'\\');
        slashes = letter == L'\\' ? slashes + 1 : 0;
        text += letter;
    }
    text.append(slashes, L'\\');
    return text + L'"';
}

std::wstring commandLine(const std::vector<std::string>& arguments, std::intptr_t connection) {
    std::wstring line = L"gguf-worker";
    for (const std::string& argument : arguments)
        line += L' ' + quoted(widen(argument));
    return line + L" --connection=" + std::to_wstring(connection);
}

/// Ends with its last handle, which is ours, and takes with it the one process that it may have.
Descriptor makeJob() {
    Descriptor job = owned(CreateJobObjectW(nullptr, nullptr));
    if (!job) return {};
    // Without the right to break away, and without a box on the screen that waits for a click after a crash.
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
                                              JOB_OBJECT_LIMIT_ACTIVE_PROCESS |
                                              JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    limits.BasicLimitInformation.ActiveProcessLimit = 1;
    const BOOL limited =
        SetInformationJobObject(handleOf(job), JobObjectExtendedLimitInformation, &limits, sizeof limits);
    return limited ? std::move(job) : Descriptor();
}

/// Reads as empty and swallows what is written.
Descriptor openNothing() {
    SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
    const HANDLE handle =
        CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    return handle == INVALID_HANDLE_VALUE ? Descriptor() : owned(handle);
}

/// Our standard error for a child; nothing where we have none.
Descriptor errorsForChild() {
    const HANDLE ours = GetStdHandle(STD_ERROR_HANDLE);
    HANDLE copy = nullptr;
    if (ours == nullptr || ours == INVALID_HANDLE_VALUE) return {};
    const HANDLE self = GetCurrentProcess();
    if (!DuplicateHandle(self, ours, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS)) return {};
    return owned(copy);
}

/// What a process is born with, besides its command line: exactly these handles, and its job.
class BirthAttributes {
public:
    BirthAttributes(std::vector<HANDLE> inherited, HANDLE job)
        : m_inherited(std::move(inherited)), m_job(job) {}
    BirthAttributes(const BirthAttributes&) = delete;
    BirthAttributes& operator=(const BirthAttributes&) = delete;
    ~BirthAttributes() {
        if (m_list) DeleteProcThreadAttributeList(m_list);
    }

    bool build() {
        SIZE_T bytes = 0;
        InitializeProcThreadAttributeList(nullptr, 2, 0, &bytes);
        m_memory.resize(bytes);
        auto* list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(m_memory.data());
        if (!InitializeProcThreadAttributeList(list, 2, 0, &bytes)) return false;
        m_list = list;
        return UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, m_inherited.data(),
                                         m_inherited.size() * sizeof(HANDLE), nullptr, nullptr) &&
               UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &m_job, sizeof m_job,
                                         nullptr, nullptr);
    }
    LPPROC_THREAD_ATTRIBUTE_LIST list() const { return m_list; }

private:
    // The list points at both until the process is there.
    std::vector<HANDLE> m_inherited;
    HANDLE m_job;
    std::vector<std::byte> m_memory;
    LPPROC_THREAD_ATTRIBUTE_LIST m_list = nullptr;
};

PROCESS_MEMORY_COUNTERS memoryOf(const Descriptor& process) {
    PROCESS_MEMORY_COUNTERS counters{};
    if (!GetProcessMemoryInfo(handleOf(process), &counters, sizeof counters)) return {};
    return counters;
}

}  // namespace

std::uint64_t WorkerProcess::residentBytes() const {
    return memoryOf(m_process).WorkingSetSize;
}

std::uint64_t WorkerProcess::peakResidentBytes() const {
    return memoryOf(m_process).PeakWorkingSetSize;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::string& program,
                                                            const std::vector<std::string>& arguments,
                                                            protocol::Descriptor connection,
                                                            bool inheritErrors) {
    Descriptor job = makeJob();
    if (!job) return notStarted(program);
    const Descriptor nothing = openNothing();
    if (!nothing) return notStarted(program);
    const Descriptor errors = inheritErrors ? errorsForChild() : Descriptor();
    if (!SetHandleInformation(handleOf(connection), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT))
        return notStarted(program);
    std::vector<HANDLE> inherited{handleOf(connection), handleOf(nothing)};
    if (errors) inherited.push_back(handleOf(errors));
    BirthAttributes attributes(std::move(inherited), handleOf(job));
    if (!attributes.build()) return notStarted(program);

    STARTUPINFOEXW startup{};
    startup.StartupInfo.cb = sizeof startup;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = handleOf(nothing);
    startup.StartupInfo.hStdOutput = handleOf(nothing);
    startup.StartupInfo.hStdError = handleOf(errors ? errors : nothing);
    startup.lpAttributeList = attributes.list();
    // A group of its own: Ctrl+C is ours to pass on. A console only where it shall write to ours.
    const DWORD flags =
        EXTENDED_STARTUPINFO_PRESENT | CREATE_NEW_PROCESS_GROUP | (errors ? 0 : CREATE_NO_WINDOW);
    std::wstring line = commandLine(arguments, connection.get());
    PROCESS_INFORMATION born{};
    if (!CreateProcessW(widen(program).c_str(), line.data(), nullptr, nullptr, TRUE, flags, nullptr, nullptr,
                        &startup.StartupInfo, &born))
        return notStarted(program);
    CloseHandle(born.hThread);
    auto process = std::unique_ptr<WorkerProcess>(new WorkerProcess(born.dwProcessId));
    process->m_process = owned(born.hProcess);
    process->m_job = std::move(job);
    return process;
}

WorkerProcess::~WorkerProcess() {
    kill();
}

const std::optional<ProcessEnd>& WorkerProcess::poll() {
    return waitFor(std::chrono::milliseconds(0));
}

const std::optional<ProcessEnd>& WorkerProcess::waitFor(std::chrono::milliseconds time) {
    if (m_end) return m_end;
    const auto bounded = std::clamp<std::int64_t>(time.count(), 0, 1 << 30);
    if (WaitForSingleObject(handleOf(m_process), static_cast<DWORD>(bounded)) != WAIT_OBJECT_0) return m_end;
    DWORD status = 0;
    const BOOL told = GetExitCodeProcess(handleOf(m_process), &status);
    m_end = told ? endOf(status) : ProcessEnd{"unknown reason", true};
    return m_end;
}

const ProcessEnd& WorkerProcess::kill() {
    while (!poll()) {
        TerminateJobObject(handleOf(m_job), kKilled);
        waitFor(std::chrono::milliseconds(100));
    }
    return *m_end;
}

}  // namespace loader::app

#endif
