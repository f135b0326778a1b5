#include "attrs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace cirron {

namespace {

PyObject* type_name(PyObject* value) { return PyUnicode_FromString(Py_TYPE(value)->tp_name); }

// An exact str also of a subclass, whose end might run Python code.
PyObject* cut(PyObject* text) {
    if (PyUnicode_GET_LENGTH(text) > kMaxText) return PyUnicode_Substring(text, 0, kMaxText);
    return PyUnicode_CheckExact(text) ? Py_NewRef(text) : PyUnicode_FromObject(text);
}

// PyLong_AsDouble, with an infinity for what lies beyond a double.
double to_double(PyObject* value, int sign) {
    double real = PyLong_AsDouble(value);
    if (!PyErr_Occurred()) return real;
    PyErr_Clear();
    return sign * HUGE_VAL;
}

// An instance of a subclass of int as an int, or as a float where it needs more than 64 bits.
PyObject* plain_int(PyObject* value) {
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0 ? PyLong_FromLongLong(number) : PyFloat_FromDouble(to_double(value, overflow));
}

bool must_propagate() { return !PyErr_ExceptionMatches(PyExc_Exception); }

}  // namespace

bool is_atom(PyObject* value) {
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
           PyBool_Check(value) || value == Py_None;
}

PyObject* to_atom(PyObject* value) {
    if (is_atom(value)) return PyUnicode_CheckExact(value) ? cut(value) : Py_NewRef(value);
    PyObject* atom = nullptr;
    if (PyFloat_Check(value)) {
        atom = PyFloat_FromDouble(PyFloat_AS_DOUBLE(value));
    } else if (PyLong_Check(value)) {
        atom = plain_int(value);
    } else if (PyObject* text = PyObject_Str(value)) {
        atom = cut(text);
        Py_DECREF(text);
    }
    if (atom != nullptr || must_propagate()) return atom;
    PyErr_Clear();
    return type_name(value);
}

bool read_scalar(PyObject* value, Scalar& scalar) {
    // What Python tells by a flag of the type comes first.
    if (PyUnicode_Check(value)) {
        scalar.type = ValueType::kText;
        scalar.text = utf8_of(value, scalar.holder);
        scalar.bits = scalar.text.size();
    } else if (PyBool_Check(value)) {
        scalar.type = ValueType::kBool;
        scalar.bits = value == Py_True;
    } else if (PyLong_Check(value)) {
        int overflow = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        scalar.type = overflow == 0 ? ValueType::kInt : ValueType::kFloat;
        scalar.bits = static_cast<uint64_t>(number);
        if (overflow != 0) scalar.bits = std::bit_cast<uint64_t>(to_double(value, overflow));
    } else if (PyFloat_Check(value)) {
        scalar.type = ValueType::kFloat;
        scalar.bits = std::bit_cast<uint64_t>(PyFloat_AS_DOUBLE(value));
    } else if (value == Py_None) {
        scalar.type = ValueType::kNone;
        scalar.bits = 0;
    } else {
        return false;
    }
    return true;
}

void AttrWriter::add(PyObject* key, PyObject* value) {
    Scalar scalar;
    read_scalar(value, scalar);
    add(key, scalar);
}

void AttrWriter::add(PyObject* key, const Scalar& scalar) {
    uint32_t number = names_.number_of(key);
    // Two long keys may be one once they are cut.
    bool is_repeated = number != 0 && std::find(keys_, keys_ + count_, number) != keys_ + count_;
    if (count_ == kMaxAttrs || is_repeated) {
        ++dropped_;
        return;
    }
    keys_[count_++] = number;
    if (number == 0) add_key_text(key);
    if (scalar.type == ValueType::kText) {
        append({number, scalar.type, 0, static_cast<uint16_t>(scalar.text.size())}, scalar.text.data());
    } else {
        append({number, scalar.type, 0, sizeof scalar.bits}, &scalar.bits);
    }
}

void AttrWriter::copy(AttrBytes attrs, PyObject* except) {
    uint32_t number = names_.number_of(except);
    for (uint32_t at = 0; at < attrs.size;) {
        AttrHeader header;
        std::memcpy(&header, attrs.data + at, sizeof header);
        bool is_excepted = header.key == number && header.is_key_text == 0;
        if (!is_excepted) append(header, attrs.data + at + sizeof header);
        at += sizeof header + padded(header.bytes);
    }
}

void AttrWriter::add_key_text(PyObject* text) {
    std::string holder;
    std::string_view utf8 = utf8_of(text, holder);
    append({0, ValueType::kText, 1, static_cast<uint16_t>(utf8.size())}, utf8.data());
}

void AttrWriter::append(AttrHeader header, const void* payload) {
    std::memcpy(bytes_ + size_, &header, sizeof header);
    std::memcpy(bytes_ + size_ + sizeof header, payload, header.bytes);
    size_ += sizeof header + padded(header.bytes);
}

}  // namespace cirron
