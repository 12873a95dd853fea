// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/driver_identity.h"

#include <QCryptographicHash>
#include <QSettings>
#include <QString>
#include <QStringList>
#include <QSysInfo>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/app/hardware/adapter_facts.h"

#ifndef _WIN32
#include <unistd.h>
#endif

namespace loader::app {
namespace {

constexpr std::size_t kMostManifestBytes = 64 * 1024;
constexpr std::size_t kMostListed = 64;

/// Lines that say what was found; their hash is the identity.
class Evidence {
public:
    explicit Evidence(const SystemText& system) : m_system(system) {}

    void note(const std::string& line) { m_lines += line + "\n"; }

    /// Length and time stand for the content: drivers are large, and a package changes both.
    void noteFile(const std::string& path) {
        std::error_code fault;
        const std::filesystem::path place = m_system.place(path);
        const auto bytes = std::filesystem::file_size(place, fault);
        if (fault) return;
        const auto changed = std::filesystem::last_write_time(place, fault).time_since_epoch();
        note("file " + path + " " + std::to_string(bytes) + " " + std::to_string(changed.count()));
    }

    std::string hash() const {
        const QByteArray bytes = QByteArray::fromStdString(m_lines);
        return QCryptographicHash::hash(bytes, QCryptographicHash::Sha256).toHex().toStdString();
    }

    const SystemText& system() const { return m_system; }

private:
    const SystemText& m_system;
    std::string m_lines;
};

std::vector<std::string> listOf(const std::string& variable) {
    std::vector<std::string> parts;
    for (const QString& part : QString::fromStdString(variable).split(QLatin1Char(':'), Qt::SkipEmptyParts)) {
        if (parts.size() < kMostListed) parts.push_back(part.toStdString());
    }
    return parts;
}

/// Where the dynamic linker looks on the distributions that we know.
std::vector<std::string> libraryFolders(const SystemText& system) {
    std::vector<std::string> folders = {"/usr/local/lib", "/usr/lib64", "/usr/lib", "/lib64", "/lib"};
    for (const std::string& name : system.names("/usr/lib")) {
        if (name.ends_with("-linux-gnu")) folders.push_back("/usr/lib/" + name);
    }
    return folders;
}

/// The library that a manifest names: as a path, beside the manifest, or by name alone.
void noteLibrary(Evidence& evidence, const std::string& manifest, const std::vector<std::string>& folders) {
    const std::string text = evidence.system().text(manifest, kMostManifestBytes).value_or("");
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return;
    for (const char* part : {"ICD", "layer"}) {
        const auto found = json.find(part);
        if (found == json.end() || !found->is_object()) continue;
        const auto path = found->find("library_path");
        if (path == found->end() || !path->is_string()) continue;
        const std::string library = path->get<std::string>();
        if (library.starts_with('/')) {
            evidence.noteFile(library);
        } else if (library.find('/') != std::string::npos) {
            evidence.noteFile(manifest.substr(0, manifest.rfind('/') + 1) + library);
        } else {
            for (const std::string& folder : folders)
                evidence.noteFile(folder + "/" + library);
        }
    }
}

void noteManifest(Evidence& evidence, const std::string& path, const std::vector<std::string>& folders) {
    evidence.noteFile(path);
    noteLibrary(evidence, path, folders);
}

void noteManifests(Evidence& evidence, const DriverVariables& variables) {
    const std::vector<std::string> libraries = libraryFolders(evidence.system());
    for (const std::string& folder : libraries)
        evidence.noteFile(folder + "/libvulkan.so.1");
    std::vector<std::string> roots = {"/etc", "/usr/local/etc", "/usr/local/share", "/usr/share"};
    for (const std::string& home : {variables.configHome, variables.dataHome}) {
        if (!home.empty()) roots.push_back(home);
    }
    for (const std::string& root : roots) {
        for (const char* kind : {"/vulkan/icd.d", "/vulkan/implicit_layer.d"}) {
            const std::string folder = root + kind;
            for (const std::string& name : evidence.system().names(folder)) {
                if (name.ends_with(".json")) noteManifest(evidence, folder + "/" + name, libraries);
            }
        }
    }
    for (const std::string& variable :
         {variables.driverFiles, variables.icdFilenames, variables.addDriverFiles}) {
        evidence.note("variable " + variable);
        for (const std::string& path : listOf(variable)) {
            noteManifest(evidence, path, libraries);
            for (const std::string& name : evidence.system().names(path))
                noteManifest(evidence, path + "/" + name, libraries);
        }
    }
}

void noteKernel(Evidence& evidence) {
    const SystemText& system = evidence.system();
    evidence.note("kernel " + system.line("/proc/sys/kernel/osrelease").value_or(""));
    evidence.note("nvidia " + system.line("/proc/driver/nvidia/version").value_or(""));
    for (const AdapterFacts& adapter : readAdapters(system)) {
        evidence.note("adapter " + adapter.place + " " + std::to_string(adapter.vendorId) + " " +
                      std::to_string(adapter.deviceId) + " " + adapter.kernelDriver);
    }
    for (const std::string& name : system.names("/dev/dri")) {
        bool open = true;
#ifndef _WIN32
        // A user who joins the group "render" gets other devices.
        open = ::access(system.place("/dev/dri/" + name).c_str(), R_OK | W_OK) == 0;
#endif
        evidence.note("node " + name + (open ? " open" : " closed"));
    }
}

#ifdef _WIN32

/// The drivers are listed in the registry: apart, and with each display adapter.
void noteRegistry(Evidence& evidence, const DriverVariables& variables) {
    const QString drivers = QStringLiteral("HKEY_LOCAL_MACHINE\\SOFTWARE\\Khronos\\Vulkan\\Drivers");
    for (const QString& path : QSettings(drivers, QSettings::NativeFormat).allKeys())
        noteManifest(evidence, path.toStdString(), {});
    const QString adapters = QStringLiteral(
        "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-"
        "08002be10318}");
    const QSettings classes(adapters, QSettings::NativeFormat);
    for (const QString& group : classes.childGroups()) {
        evidence.note("adapter " + classes.value(group + "/DriverDesc").toString().toStdString() + " " +
                      classes.value(group + "/DriverVersion").toString().toStdString());
    }
    evidence.noteFile(variables.systemFolder + "\\vulkan-1.dll");
    evidence.note("kernel " + QSysInfo::kernelVersion().toStdString());
}

#endif

}  // namespace

std::string driverIdentity(const DriverVariables& variables, std::string_view applicationVersion,
                           const std::string& plugin, const SystemText& system) {
    Evidence evidence(system);
    evidence.note("application " + std::string(applicationVersion));
    if (!plugin.empty()) evidence.noteFile(plugin);
    noteManifests(evidence, variables);
    noteKernel(evidence);
#ifdef _WIN32
    if (system.isThisSystem()) noteRegistry(evidence, variables);
#elif defined(__APPLE__)
    for (const char* folder : {"/usr/local/lib", "/opt/homebrew/lib"}) {
        evidence.noteFile(std::string(folder) + "/libvulkan.1.dylib");
        evidence.noteFile(std::string(folder) + "/libMoltenVK.dylib");
    }
    evidence.note("kernel " + QSysInfo::kernelVersion().toStdString());
#endif
    return evidence.hash();
}

}  // namespace loader::app
