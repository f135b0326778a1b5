// Statistics of the elements of an array in host memory, read in place, with sums in float64. Needs no GIL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace cirron {

enum class ElementType {
    kBool,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kUint8,
    kUint16,
    kUint32,
    kUint64,
    kFloat16,
    kBfloat16,
    kFloat32,
    kFloat64,
    kComplex64,  // complex numbers count by their magnitude
    kComplex128,
};

// As torch and numpy call it.
std::optional<ElementType> element_type(std::string_view name);
size_t element_bytes(ElementType type);

// Where the elements are. All of them must stay readable; that they change meanwhile only makes the numbers vague.
struct ArrayView {
    const char* data;
    ElementType type;
    std::vector<int64_t> shape;
    std::vector<int64_t> strides;  // in elements
};

constexpr size_t kBuckets = 16;

// Over the finite elements; where there are none, all numbers are zero.
struct ArrayStats {
    uint64_t finite = 0;
    uint64_t nonfinite = 0;
    double mean = 0;
    double std = 0;  // of the population
    double min = 0;
    double max = 0;
    double norm = 0;
    std::array<double, kBuckets + 1> edges{};  // bucket i holds edges[i] <= x < edges[i + 1], the last one also its end
    std::array<uint64_t, kBuckets> counts{};
};

// Takes the memory of a few blocks, whatever the size of the array.
ArrayStats summarize(const ArrayView& array);

}  // namespace cirron
