// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The memory of one rendering: counted before it is taken, returned when the last reference goes, and free of
// leaks although namespaces and scopes can refer to each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "core/engine/base/result.h"

namespace loader::chat {

class Heap;

/// Something that values refer to. Counted references, one thread.
class Object {
public:
    explicit Object(Heap& heap) : m_heap(heap) {}
    virtual ~Object() = default;
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    void retain() { ++m_references; }
    inline void release();
    bool unique() const { return m_references == 1; }

private:
    friend class Heap;
    Heap& m_heap;
    Object* m_link = nullptr;
    std::size_t m_charged = 0;
    std::uint32_t m_references = 0;
};

/// An object that changes after it was made, so that it can become part of a cycle. The heap knows them all
/// and empties them at its end.
class MutableObject : public Object {
public:
    explicit MutableObject(Heap& heap);
    ~MutableObject() override;
    /// Drops every reference this object holds.
    virtual void clear() = 0;

private:
    friend class Heap;
    Heap& m_owner;
    MutableObject* m_previous = nullptr;
    MutableObject* m_next = nullptr;
};

/// @thread one rendering, one thread
class Heap {
public:
    explicit Heap(std::size_t limit) : m_limit(limit) {}
    ~Heap();
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    std::size_t limit() const { return m_limit; }
    /// False, and nothing charged, where the limit would be passed.
    bool charge(std::size_t bytes) {
        if (bytes > m_limit - m_live) return false;
        m_live += bytes;
        return true;
    }
    void refund(std::size_t bytes) { m_live -= bytes; }
    /// Whether this much more would fit.
    Status expect(std::size_t bytes) const { return bytes > m_limit - m_live ? full() : Status(); }
    Status full() const { return Error(Errc::J405, {std::to_string(m_limit)}); }

    /// Makes an object; payload is what it owns beside its own size.
    template <class T, class... Arguments>
    Result<T*> make(std::size_t payload, Arguments&&... arguments) {
        const std::size_t bytes = sizeof(T) + payload + kOverhead;
        if (payload > m_limit || !charge(bytes)) return full().error();
        T* object = nullptr;
        try {
            object = new T(*this, std::forward<Arguments>(arguments)...);
        } catch (...) {
            refund(bytes);
            throw;
        }
        object->m_charged = bytes;
        return object;
    }
    /// Charges an object for growth after it was made.
    Status grow(Object& object, std::size_t bytes) {
        if (!charge(bytes)) return full();
        object.m_charged += bytes;
        return {};
    }

private:
    friend class Object;
    friend class MutableObject;
    /// What an allocator adds to a block.
    static constexpr std::size_t kOverhead = 16;
    /// Deletes without recursion: a chain of a million lists is destroyed one by one.
    void bury(Object* object);

    std::size_t m_limit;
    std::size_t m_live = 0;
    Object* m_dead = nullptr;
    bool m_burying = false;
    MutableObject* m_mutables = nullptr;
};

/// A counted reference to an object of a known type.
template <class T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T* object) : m_object(object) {
        if (m_object) m_object->retain();
    }
    Ref(const Ref& other) : Ref(other.m_object) {}
    Ref(Ref&& other) noexcept : m_object(std::exchange(other.m_object, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(m_object, other.m_object);
        return *this;
    }
    ~Ref() {
        if (m_object) m_object->release();
    }
    T* get() const { return m_object; }
    T* operator->() const { return m_object; }
    explicit operator bool() const { return m_object != nullptr; }
    bool unique() const { return m_object && m_object->unique(); }

private:
    T* m_object = nullptr;
};

inline void Object::release() {
    if (--m_references == 0) m_heap.bury(this);
}

}  // namespace loader::chat
