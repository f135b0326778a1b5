// The most memory that the process has had resident at once.
#pragma once

#include <cstdint>
#include <optional>

namespace cirron {

class ResidentPeak {
  public:
    // Nothing where the platform does not tell. Up to kEveryMs old: to ask is a system call, which takes longer the
    // more threads there are. Needs the GIL.
    std::optional<uint64_t> bytes(uint64_t ticks);

  private:
    static constexpr uint64_t kEveryMs = 2;

    uint64_t read_at_ = 0;
    std::optional<uint64_t> bytes_;
};

}  // namespace cirron
