#include "deferred.hpp"

#include <cstring>

namespace cirron {

std::optional<uint64_t> deferred_key(const char* at) {
    RecordHeader header;
    std::memcpy(&header, at, sizeof header);
    if (header.kind == RecordKind::kMark) {
        MarkRecord mark;
        std::memcpy(&mark, at, sizeof mark);
        if (mark.type == ValueType::kDeferred) return mark.value;
    }
    constexpr uint32_t with_key = cells_for(sizeof(SpanRecord) + sizeof(GpuTimeKey));  // fewer are of a damaged record
    if (header.kind == RecordKind::kSpan && (header.flags & kHasGpu) != 0 && header.cells >= with_key) {
        GpuTimeKey key;
        std::memcpy(&key, at + sizeof(SpanRecord), sizeof key);
        return key;
    }
    return std::nullopt;
}

uint64_t DeferredValues::add(PyObject* value) {
    std::lock_guard lock(mutex_);
    waiting_.emplace(next_key_, Py_NewRef(value));
    return next_key_++;
}

std::vector<std::pair<uint64_t, PyObject*>> DeferredValues::take() {
    std::vector<std::pair<uint64_t, PyObject*>> values;
    std::vector<PyObject*> forgotten;
    {
        std::lock_guard lock(mutex_);
        for (auto& [key, value] : waiting_) values.emplace_back(key, Py_NewRef(value));
        forgotten.swap(forgotten_);
    }
    for (PyObject* value : forgotten) Py_DECREF(value);
    return values;
}

void DeferredValues::resolve(uint64_t key, PyObject* value) {
    Scalar scalar;
    read_scalar(value, scalar);
    if (scalar.type == ValueType::kText) {
        scalar.holder = std::string(scalar.text);
        scalar.text = {};
    }
    PyObject* held = nullptr;
    {
        std::lock_guard lock(mutex_);
        auto found = waiting_.find(key);
        if (found == waiting_.end()) return;
        held = found->second;
        waiting_.erase(found);
        resolved_.emplace(key, std::move(scalar));
    }
    Py_DECREF(held);  // may run Python code, so not under the lock
}

void DeferredValues::forget(uint64_t key) {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(key);
    if (found != waiting_.end()) {
        forgotten_.push_back(found->second);
        waiting_.erase(found);
    }
    resolved_.erase(key);
}

void DeferredValues::give_up() {
    {
        std::lock_guard lock(mutex_);
        for (auto& [key, value] : waiting_) forgotten_.push_back(value);
        waiting_.clear();
    }
    take();
}

bool DeferredValues::is_waiting(uint64_t key) {
    std::lock_guard lock(mutex_);
    return waiting_.contains(key);
}

std::optional<Scalar> DeferredValues::take_resolved(uint64_t key) {
    std::lock_guard lock(mutex_);
    auto found = resolved_.extract(key);
    if (found.empty()) return std::nullopt;
    return std::move(found.mapped());
}

}  // namespace cirron
