#include "names.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "text.hpp"

namespace cirron {

std::string_view utf8_of(PyObject* text, std::string& holder) {
    Py_ssize_t size = 0;
    if (const char* bytes = PyUnicode_AsUTF8AndSize(text, &size)) {
        return cut_text({bytes, static_cast<size_t>(size)}, kMaxText);
    }
    PyErr_Clear();
    PyObject* encoded = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    if (encoded == nullptr) {
        PyErr_Clear();
        return "?";
    }
    holder.assign(PyBytes_AS_STRING(encoded), static_cast<size_t>(PyBytes_GET_SIZE(encoded)));
    Py_DECREF(encoded);
    return cut_text(holder, kMaxText);
}

NameTexts::NameTexts(Journal& journal) {
    for (NamesBlock* block : journal.names_blocks()) {
        // Names of a block that was not in the file are missing; the later ones keep their numbers.
        while (count_.load(std::memory_order_relaxed) < std::min(block->block.first, kLimit)) add("?");
        uint32_t used = block->used.load(std::memory_order_acquire);
        for (uint32_t at = 0; at + sizeof(uint16_t) <= used;) {
            uint16_t length;
            std::memcpy(&length, block->text + at, sizeof length);
            at += sizeof length;
            if (length > used - at) return;
            add({block->text + at, length});
            at += length;
        }
    }
}

uint32_t NameTexts::add(std::string_view text) {
    uint32_t number = count_.load(std::memory_order_relaxed);
    if (number == kLimit) return 0;
    auto& chunk = chunks_[number / kChunk];
    if (!chunk) chunk = std::make_unique<std::string[]>(kChunk);
    TextBuffer json;
    append_json_text(json, text);
    chunk[number % kChunk] = json.text();
    count_.store(number + 1, std::memory_order_release);
    return number;
}

std::string_view NameTexts::json(uint32_t number) const {
    if (number == 0 || number >= count_.load(std::memory_order_acquire)) return "\"?\"";
    return chunks_[number / kChunk][number % kChunk];
}

uint32_t Names::look_up(PyObject* text) {
    std::string holder;
    std::string_view utf8 = utf8_of(text, holder);
    auto found = numbers_.find(utf8);
    uint32_t number = found != numbers_.end() ? found->second : add(utf8);
    // Only exact strings: another one's end may run Python code, and that must not happen here.
    if (number != 0 && PyUnicode_CheckExact(text) && PyUnicode_GET_LENGTH(text) <= kMaxText) {
        Cached& cached = cache_[slot(text)];
        Py_INCREF(text);
        Py_XDECREF(cached.text);
        cached = {text, number};
    }
    return number;
}

const NameSet* Names::make_set(PyObject* names) {
    if (!PyTuple_Check(names)) return nullptr;
    NameSet set;
    bool is_plain = PyTuple_CheckExact(names);  // what is kept runs no Python code at its end
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (!PyUnicode_Check(name)) return nullptr;
        is_plain = is_plain && PyUnicode_CheckExact(name);
        set.add(number_of(name));
    }
    bool keep = is_plain && set_count_ < kMaxSets;
    size_t at = keep ? set_count_++ : kMaxSets;
    if (keep) set_tuples_[at] = Py_NewRef(names);
    sets_[at] = std::move(set);
    return &sets_[at];
}

uint32_t Names::add(std::string_view text) {
    // The journal first: a record must never carry a number that a recovery cannot read.
    if (texts_.full()) return 0;
    write_to_journal(text);
    uint32_t number = texts_.add(text);
    numbers_.emplace(text, number);
    return number;
}

void Names::write_to_journal(std::string_view text) {
    auto length = static_cast<uint16_t>(text.size());
    uint64_t need = sizeof length + text.size();
    if (block_ == nullptr || block_->used.load() + need > block_->block.bytes - sizeof(NamesBlock)) {
        block_ = journal_.add_names_block(texts_.count());
    }
    uint32_t at = block_->used.load(std::memory_order_relaxed);
    std::memcpy(block_->text + at, &length, sizeof length);
    std::memcpy(block_->text + at + sizeof length, text.data(), text.size());
    block_->used.store(static_cast<uint32_t>(at + need), std::memory_order_release);
}

void Names::clear_cache() {
    for (Cached& cached : cache_) {
        Py_CLEAR(cached.text);
        cached.number = 0;
    }
    for (size_t count = std::exchange(set_count_, 0); count-- > 0;) Py_CLEAR(set_tuples_[count]);
}

// No scope has the number 0: it stands for a name that did not fit into the table.
void NameSet::add(uint32_t number) {
    if (number == 0) return;
    if (number < 64) {
        low |= uint64_t{1} << number;
    } else {
        high.push_back(number);
    }
}

bool NameSet::is_high(uint32_t number) const { return std::find(high.begin(), high.end(), number) != high.end(); }

}  // namespace cirron
