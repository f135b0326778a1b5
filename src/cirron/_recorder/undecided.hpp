// The records of a tree of scopes that may yet be left out: kept aside until its end says whether they count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cirron {

class Recorder;

// Shared by all contexts that work on the tree. All of it needs the GIL, which also guards the count of its owners.
class Undecided {
  public:
    enum class Verdict : uint8_t { kOpen, kKept, kLeftOut };

    Verdict verdict() const { return verdict_; }
    // Room for one record of so many cells, zeroed; null when the tree has grown so large that it has to be kept.
    char* reserve(uint32_t cells);
    // Why it was kept in the end; null as long as it is not.
    const char* kept_for() const { return kept_for_; }
    // The records go where they would have gone at once, and later ones go there directly. `what_for` is a literal.
    void keep(Recorder* recorder, const char* what_for);
    void leave_out(Recorder* recorder);

    Undecided* share() {
        ++owners_;
        return this;
    }
    void let_go() {
        if (--owners_ == 0) delete this;
    }

  private:
    static constexpr size_t kMostBytes = 1 << 20;

    uint32_t owners_ = 1;
    Verdict verdict_ = Verdict::kOpen;
    const char* kept_for_ = nullptr;
    std::vector<char> records_;
};

}  // namespace cirron
