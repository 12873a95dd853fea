// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/model_key.h"

namespace loader::importers {
namespace {

bool isUsable(const Place& place) {
    return place.fault.empty() && place.state != PathState::Folder && place.state != PathState::Other;
}

std::string_view textOf(const Json& value) {
    return value.is_string() ? std::string_view(value.get_ref<const std::string&>()) : std::string_view();
}

}  // namespace

std::string takeModel(const KeyWalk& walk, Places& places, const std::string& key, const Json& value,
                      const std::string& base, app::ImportedModel more) {
    if (value.is_null() || value == "") {
        walk.ignore(key, value, kNotSet);
        return {};
    }
    if (!value.is_string()) {
        walk.invalid(key, value, "It is the path of a model");
        return {};
    }
    const Place place = places.resolve(textOf(value), base);
    if (!isUsable(place)) {
        walk.invalid(key, value, place.fault.empty() ? place.note() : place.fault);
        return {};
    }
    more.path = place.path;
    walk.sink().model(walk.at(key), more, place.note());
    return place.path;
}

std::string projectorPath(Places& places, const Json& value, const std::string& base) {
    if (textOf(value).empty()) return {};
    const Place place = places.resolve(textOf(value), base);
    return isUsable(place) ? place.path : std::string();
}

void takeProjector(const KeyWalk& walk, Places& places, const std::string& key, const Json& value,
                   const std::string& base, bool hasModel) {
    if (value.is_null() || value == "") return walk.ignore(key, value, kNotSet);
    if (!value.is_string()) return walk.invalid(key, value, "It is the path of a projector");
    const Place place = places.resolve(textOf(value), base);
    if (!isUsable(place)) return walk.invalid(key, value, place.fault.empty() ? place.note() : place.fault);
    walk.ignore(key, value, hasModel ? kOfTheModel : std::string_view("A projector without its model"));
}

void noteUnreadable(app::ImportSink& sink, const std::string& file, const Error& error) {
    sink.invalid({file, {}}, nullptr, error.message());
}

}  // namespace loader::importers
