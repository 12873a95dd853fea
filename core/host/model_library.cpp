// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/model_library.h"

#include <QCoreApplication>
#include <QDir>
#include <QDirIterator>
#include <QFileInfo>
#include <QStandardPaths>
#include <algorithm>
#include <map>

#include "core/engine/quant/tensor_type.h"

namespace loader::host {
namespace {

constexpr const char* kGuide = "guide";
/// How deep below a library folder files are looked for, and how many at most: a folder may be a home folder.
constexpr int kDepth = 4;
constexpr std::size_t kFiles = 10'000;

void collect(const QDir& folder, int depth, std::vector<std::string>& paths) {
    if (depth < 0 || paths.size() >= kFiles) return;
    for (const QFileInfo& entry : folder.entryInfoList(
             QDir::Files | QDir::Dirs | QDir::NoDotAndDotDot | QDir::NoSymLinks, QDir::Name)) {
        if (entry.isDir()) collect(QDir(entry.absoluteFilePath()), depth - 1, paths);
        if (entry.isFile() && entry.suffix().compare(QStringLiteral("gguf"), Qt::CaseInsensitive) == 0)
            paths.push_back(entry.absoluteFilePath().toStdString());
    }
}

std::string nameOfFile(const std::string& path) {
    return QFileInfo(QString::fromStdString(path)).completeBaseName().toStdString();
}

bool isLaterPart(const std::string& path) {
    const auto shard = gguf::parseShardName(path);
    return shard && shard->number != 1;
}

}  // namespace

ModelSummary summarise(const gguf::ModelFile& file, const std::string& name, const std::string& path) {
    ModelSummary summary;
    summary.name = name;
    summary.path = path;
    summary.fileBytes = file.fileBytes();
    summary.architecture = std::string(file.metadata().text("general.architecture").value_or(""));
    std::map<std::string, std::uint64_t> bytes;
    std::map<std::string, std::uint64_t> values;
    for (const gguf::TensorInfo& tensor : file.tensors()) {
        const std::string type(quant::typeName(tensor.type));
        bytes[type] += tensor.bytes;
        values[type] += tensor.elements();
        summary.parameters += tensor.elements();
    }
    summary.typeBytes.assign(bytes.begin(), bytes.end());
    std::sort(summary.typeBytes.begin(), summary.typeBytes.end(),
              [](const auto& a, const auto& b) { return a.second > b.second; });
    const auto most = std::max_element(values.begin(), values.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != values.end()) summary.mainType = most->first;
    return summary;
}

std::vector<std::string> ModelLibrary::defaultFolders() {
    std::vector<std::string> folders;
    const QString data = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation);
    if (!data.isEmpty())
        folders.push_back(QDir(data).filePath(QStringLiteral("gguf-loader/models")).toStdString());
    const QString extra = qEnvironmentVariable("GGUF_LOADER_MODELS");
    for (const QString& folder : extra.split(QDir::listSeparator(), Qt::SkipEmptyParts))
        folders.push_back(folder.toStdString());
    return folders;
}

std::string ModelLibrary::guidePath() {
    const QDir program(QCoreApplication::applicationDirPath());
    return QDir::cleanPath(program.filePath(QStringLiteral("../share/gguf-loader/guide.gguf"))).toStdString();
}

Result<std::string> ModelLibrary::resolve(const std::string& model) const {
    if (model == kGuide) {
        if (QFileInfo::exists(QString::fromStdString(guidePath()))) return guidePath();
        return Error(Errc::F802, {}, "the built-in model, " + guidePath());
    }
    const QFileInfo direct(QString::fromStdString(model));
    const bool isPath = model.find('/') != std::string::npos || model.find('\\') != std::string::npos;
    if (isPath || direct.exists()) return model;
    std::vector<std::string> paths;
    for (const std::string& folder : m_folders)
        collect(QDir(QString::fromStdString(folder)), kDepth, paths);
    for (const std::string& path : paths) {
        const QFileInfo file(QString::fromStdString(path));
        const bool named = nameOfFile(path) == model || file.fileName().toStdString() == model;
        if (named) return path;
        // A split set is named without its numbers.
        const auto shard = gguf::parseShardName(path);
        if (shard && shard->number == 1 &&
            QFileInfo(QString::fromStdString(shard->prefix)).fileName().toStdString() == model)
            return path;
    }
    return Error(Errc::F802, {}, model);
}

std::vector<ModelSummary> ModelLibrary::list() const {
    std::vector<std::string> paths;
    if (QFileInfo::exists(QString::fromStdString(guidePath()))) paths.push_back(guidePath());
    for (const std::string& folder : m_folders)
        collect(QDir(QString::fromStdString(folder)), kDepth, paths);
    std::vector<ModelSummary> models;
    for (const std::string& path : paths) {
        if (isLaterPart(path)) continue;
        const std::string name = path == guidePath() ? kGuide : nameOfFile(path);
        auto file = gguf::ModelFile::open(path, {true});
        if (file.ok()) {
            models.push_back(summarise(**file, name, path));
            continue;
        }
        ModelSummary broken;
        broken.name = name;
        broken.path = path;
        broken.fileBytes = static_cast<std::uint64_t>(QFileInfo(QString::fromStdString(path)).size());
        broken.fault = std::move(file).error();
        models.push_back(std::move(broken));
    }
    return models;
}

}  // namespace loader::host
