// An array as a sequence of blocks of plain floats or doubles, which fit the processor's first cache. Their order is
// not that of the elements: nobody here asks for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "stats.hpp"

namespace cirron {

constexpr size_t kBlockElements = 2040;  // as many as stats.cpp can count before its counters overflow

// Whether a float holds every element exactly; else they are read as doubles.
bool is_read_as_float(ElementType type);

// `Real` is float or double, as is_read_as_float() says.
template <typename Real>
class Blocks {
  public:
    explicit Blocks(const ArrayView& array);

    // The next elements, valid until the next call; none at the end.
    struct Block {
        const Real* data;
        size_t size;
    };
    Block next();
    void rewind();

  private:
    struct Dimension {
        int64_t size;
        int64_t stride_bytes;
    };

    void simplify(const ArrayView& array);
    const char* take(size_t& count);
    void gather(char* to, size_t count);
    void step(size_t count);

    const char* data_;
    ElementType type_;
    size_t element_bytes_;
    std::vector<Dimension> dimensions_;  // the innermost last; never empty
    uint64_t total_ = 0;
    uint64_t left_ = 0;
    const char* at_ = nullptr;
    std::vector<int64_t> position_;
    std::unique_ptr<char[]> gathered_;  // only for an array with gaps
    std::unique_ptr<Real[]> converted_;
};

}  // namespace cirron
