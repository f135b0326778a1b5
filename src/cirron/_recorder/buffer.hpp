// A growing text that is written in small pieces: room is made once for many of them.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace cirron {

// The two hex digits of each byte.
constexpr auto kHexPairs = [] {
    std::array<char, 512> pairs{};
    for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = "0123456789abcdef"[i % 2 == 0 ? i / 2 >> 4 : i / 2 & 15];
    return pairs;
}();

inline void write_hex16(char* at, uint64_t number) {
    for (int i = 14; i >= 0; i -= 2, number >>= 8) std::memcpy(at + i, &kHexPairs[2 * (number & 255)], 2);
}

// The two decimal digits of each number below a hundred.
constexpr auto kDecimalPairs = [] {
    std::array<char, 200> pairs{};
    for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = static_cast<char>('0' + (i % 2 == 0 ? i / 20 : i / 2 % 10));
    return pairs;
}();

// A number's digits, for those that are written more than once.
class Digits {
  public:
    explicit Digits(uint64_t number)
        : size_(static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof digits_, number).ptr - digits_)) {}

  private:
    friend class TextBuffer;
    char digits_[20];
    size_t size_;
};

class TextBuffer {
  public:
    std::string_view text() const { return {data_.get(), size_}; }
    size_t size() const { return size_; }
    char last() const { return data_.get()[size_ - 1]; }
    void clear() { size_ = 0; }
    void drop_last() { --size_; }
    void cut_to(size_t size) { size_ = size; }

    // Room for so many more bytes; what is put afterwards without checks must fit in it.
    void reserve(size_t bytes) {
        if (size_ + bytes > capacity_) grow(size_ + bytes);
    }

    // ---- need room ------------------------------------------------------------------------------------------------

    template <size_t kSize>
    void put(const std::array<char, kSize>& piece) {
        put({piece.data(), kSize});
    }
    void put(char c) { data_.get()[size_++] = c; }
    void put(std::string_view piece) {
        std::memcpy(data_.get() + size_, piece.data(), piece.size());
        size_ += piece.size();
    }
    // All of their room is copied, which is one instruction or two, and what is too much is written over.
    void put(const Digits& digits) {
        std::memcpy(data_.get() + size_, digits.digits_, sizeof digits.digits_);
        size_ += digits.size_;
    }
    template <typename Number>
    void put_number(Number number) {
        char* at = data_.get() + size_;
        size_ += static_cast<size_t>(std::to_chars(at, at + kNumberBytes, number).ptr - at);
    }

    // Of a number below 100,000,000, with the zeros in front.
    void put_8_digits(uint32_t number) {
        char* at = data_.get() + size_;
        uint32_t halves[] = {number / 10'000, number % 10'000};
        for (uint32_t half : halves) {
            std::memcpy(at, &kDecimalPairs[2 * (half / 100)], 2);
            std::memcpy(at + 2, &kDecimalPairs[2 * (half % 100)], 2);
            at += 4;
        }
        size_ += 8;
    }

    // ---- make their own room --------------------------------------------------------------------------------------

    void append(std::string_view piece) {
        reserve(piece.size());
        put(piece);
    }

    static constexpr size_t kNumberBytes = 32;  // the longest a number gets

  private:
    struct Free {
        void operator()(char* data) const { std::free(data); }
    };

    void grow(size_t bytes) {
        size_t capacity = bytes + bytes / 2 + 4096;
        auto* data = static_cast<char*>(std::realloc(data_.get(), capacity));
        if (data == nullptr) throw std::bad_alloc();
        (void)data_.release();
        data_.reset(data);
        capacity_ = capacity;
    }

    std::unique_ptr<char, Free> data_;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

}  // namespace cirron
