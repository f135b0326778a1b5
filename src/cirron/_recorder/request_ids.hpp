// Ids of requests that nobody has given one.
#pragma once

#include <cstdint>

namespace cirron {

// Two sequences of SplitMix64 (https://prng.di.unimi.it/splitmix64.c), each from a random start of its own. Needs the
// GIL.
class RequestIds {
  public:
    static constexpr uint32_t kDigits = 32;

    RequestIds(uint64_t high, uint64_t low) : high_(high), low_(low) {}
    // Writes kDigits hex digits.
    void write_next(char* to) {
        write_hex(mixed(high_ += kStep), to);
        write_hex(mixed(low_ += kStep), to + kDigits / 2);
    }

    static uint64_t mixed(uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

  private:
    static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

    static void write_hex(uint64_t number, char* to) {
        for (uint32_t i = kDigits / 2; i-- > 0; number >>= 4) to[i] = "0123456789abcdef"[number & 15];
    }

    uint64_t high_, low_;
};

}  // namespace cirron
