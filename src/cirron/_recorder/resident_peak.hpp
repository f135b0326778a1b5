// The most memory that the process has had resident at once.
#pragma once

#include <cstdint>
#include <optional>

#include "clock.hpp"

namespace cirron {

class ResidentPeak {
  public:
    // Nothing where the platform does not tell. For a scope that has lasted a millisecond it is as of a moment within
    // the scope, for shorter ones up to kEveryMs old: to ask is a system call, which takes microseconds where the
    // program's work has filled the caches. Needs the GIL.
    std::optional<uint64_t> bytes(uint64_t start_ticks, uint64_t ticks) {
        bool is_long = ticks - start_ticks >= g_ticks_per_ms;
        if (ticks - read_at_ > kEveryMs * g_ticks_per_ms || (is_long && read_at_ < start_ticks)) [[unlikely]]
            read(ticks);
        return bytes_;
    }

  private:
    static constexpr uint64_t kEveryMs = 5;

    void read(uint64_t ticks);

    uint64_t read_at_ = 0;
    std::optional<uint64_t> bytes_;
};

}  // namespace cirron
