// Names and attribute keys as small numbers. Numbers are the journal's own; 0 means the table is full and the text
// travels with the record.
#pragma once

#include <Python.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal.hpp"

namespace cirron {

// The UTF-8 of a Python string, cut to kMaxText bytes. `holder` keeps the bytes alive when they are a copy: a string
// with lone surrogates has no UTF-8 of its own. Runs no Python code. Needs the GIL.
std::string_view utf8_of(PyObject* text, std::string& holder);

// Number -> JSON text. Written by one thread, read by any without a lock.
class NameTexts {
  public:
    static constexpr uint32_t kLimit = 65536;
    NameTexts() = default;
    explicit NameTexts(Journal& journal);  // reads the names of a dead process
    uint32_t add(std::string_view text);
    uint32_t count() const { return count_.load(std::memory_order_relaxed); }
    bool full() const { return count_.load(std::memory_order_relaxed) == kLimit; }
    // The text with its quotes; a number never given out reads as "?".
    std::string_view json(uint32_t number) const;

  private:
    static constexpr uint32_t kChunk = 1024;
    std::array<std::unique_ptr<std::string[]>, kLimit / kChunk> chunks_;
    std::atomic<uint32_t> count_{1};  // 0 is "not in the table"
};

// The numbers of the names in a tuple.
struct NameSet {
    uint64_t low = 0;  // a bit for each number below 64, which the names of the hooks have
    std::vector<uint32_t> high;

    bool contains(uint32_t number) const { return number < 64 ? low >> number & 1 : is_high(number); }
    void add(uint32_t number);

  private:
    bool is_high(uint32_t number) const;
};

class Names {
  public:
    explicit Names(Journal& journal) : journal_(journal) {}
    // Needs the GIL, which also guards the table.
    uint32_t number_of(PyObject* text) {
        const Cached& cached = cache_[slot(text)];
        return cached.text == text ? cached.number : look_up(text);
    }
    // The set of a tuple of str, valid until the next call; null when it is something else. Needs the GIL.
    const NameSet* set_of(PyObject* names) {
        for (size_t i = 0; i < set_count_; ++i) {
            if (set_tuples_[i] == names) return &sets_[i];
        }
        return make_set(names);
    }
    void reserve(std::string_view text) { add(text); }
    const NameTexts& texts() const { return texts_; }
    // Lets go of the Python strings. Needs the GIL.
    void clear_cache();

  private:
    // Same object, same text: the entry holds a reference, so the address cannot be reused while it is here.
    struct Cached {
        PyObject* text = nullptr;
        uint32_t number = 0;
    };
    static constexpr size_t kCacheSize = 512;

    static size_t slot(PyObject* text) {
        auto address = reinterpret_cast<uintptr_t>(text);
        return ((address >> 4) ^ (address >> 13)) % kCacheSize;
    }
    uint32_t look_up(PyObject* text);
    const NameSet* make_set(PyObject* names);
    uint32_t add(std::string_view text);
    void write_to_journal(std::string_view text);

    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    Journal& journal_;
    NameTexts texts_;
    NamesBlock* block_ = nullptr;
    std::array<Cached, kCacheSize> cache_{};
    // The tuples that the hooks ask for again and again are few. A tuple is owned, so it is the same as long as its
    // address is.
    static constexpr size_t kMaxSets = 16;
    std::array<PyObject*, kMaxSets> set_tuples_{};
    std::array<NameSet, kMaxSets + 1> sets_;  // the last one is for tuples that are not kept
    size_t set_count_ = 0;
    std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> numbers_;
};

}  // namespace cirron
