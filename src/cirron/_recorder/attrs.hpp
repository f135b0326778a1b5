// Attributes: from Python values to the bytes of layout.hpp.
#pragma once

#include <Python.h>

#include "names.hpp"

namespace cirron {

// A value that can be kept and encoded later without running Python code: a str cut to kMaxText characters, an int,
// a float, a bool or None; anything else becomes its str(). Returns a new reference, or null with an exception set that
// is not an Exception (KeyboardInterrupt) and has to be passed on. Needs the GIL.
PyObject* to_atom(PyObject* value);
// Whether it is one already, long strings apart: those are cut when they are encoded.
bool is_atom(PyObject* value);

// Encoded attributes, as they lie in a record or a frame.
struct AttrBytes {
    const char* data;
    uint32_t size;
};

// A number, bool, text or None in one word; text is kept beside it.
struct Scalar {
    ValueType type = ValueType::kNone;
    uint64_t bits = 0;
    std::string_view text;
    std::string holder;
};

// False when `value` is none of float, int, bool, str, None or a subclass of one. Runs no Python code.
bool read_scalar(PyObject* value, Scalar& scalar);

// Fills a buffer with attributes. Runs no Python code. Needs the GIL.
class AttrWriter {
  public:
    explicit AttrWriter(Names& names) : names_(names) {}
    // `value` is an atom. A repeated key and what exceeds kMaxAttrs are counted in dropped().
    void add(PyObject* key, PyObject* value);
    void add(PyObject* key, const Scalar& scalar);
    // Attributes encoded earlier, but for those named `except`.
    void copy(AttrBytes attrs, PyObject* except);
    // The text of a record whose name has no number.
    void add_key_text(PyObject* text);
    AttrBytes bytes() const { return {bytes_, size_}; }
    uint32_t dropped() const { return dropped_; }

  private:
    void append(AttrHeader header, const void* payload);

    Names& names_;
    uint32_t size_ = 0;
    uint32_t count_ = 0;
    uint32_t dropped_ = 0;
    uint32_t keys_[kMaxAttrs];
    alignas(8) char bytes_[kMaxAttrBytes];
};

}  // namespace cirron
