#include "attrs.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace cirron {

namespace {

PyObject* type_name(PyObject* value) { return PyUnicode_FromString(Py_TYPE(value)->tp_name); }

PyObject* cut(PyObject* text) {
    if (PyUnicode_GET_LENGTH(text) <= kMaxText) return Py_NewRef(text);
    return PyUnicode_Substring(text, 0, kMaxText);
}

bool must_propagate() { return !PyErr_ExceptionMatches(PyExc_Exception); }

}  // namespace

PyObject* to_atom(PyObject* value) {
    if (PyUnicode_CheckExact(value)) return cut(value);
    if (PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyBool_Check(value) || value == Py_None) {
        return Py_NewRef(value);
    }
    PyObject* atom = nullptr;
    if (PyFloat_Check(value)) {
        atom = PyFloat_FromDouble(PyFloat_AS_DOUBLE(value));
    } else if (PyLong_Check(value)) {
        atom = _PyLong_Copy(reinterpret_cast<PyLongObject*>(value));
    } else if (PyObject* text = PyObject_Str(value)) {
        atom = cut(text);
        Py_DECREF(text);
    }
    if (atom != nullptr || must_propagate()) return atom;
    PyErr_Clear();
    return type_name(value);
}

bool read_scalar(PyObject* value, Scalar& scalar) {
    if (PyFloat_Check(value)) {
        scalar.type = ValueType::kFloat;
        scalar.bits = std::bit_cast<uint64_t>(PyFloat_AS_DOUBLE(value));
    } else if (PyBool_Check(value)) {
        scalar.type = ValueType::kBool;
        scalar.bits = value == Py_True;
    } else if (PyLong_Check(value)) {
        int overflow = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        scalar.type = overflow == 0 ? ValueType::kInt : ValueType::kFloat;
        scalar.bits = static_cast<uint64_t>(number);
        if (overflow != 0) {
            double real = PyLong_AsDouble(value);
            if (PyErr_Occurred()) {
                PyErr_Clear();
                real = overflow * HUGE_VAL;
            }
            scalar.bits = std::bit_cast<uint64_t>(real);
        }
    } else if (PyUnicode_Check(value)) {
        scalar.type = ValueType::kText;
        scalar.text = utf8_of(value, scalar.holder);
        scalar.bits = scalar.text.size();
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
    if (count_ == kMaxAttrs) {
        ++dropped_;
        return;
    }
    ++count_;
    uint32_t number = names_.number_of(key);
    if (number == 0) add_key_text(key);
    if (scalar.type == ValueType::kText) {
        append({number, scalar.type, 0, static_cast<uint16_t>(scalar.text.size())}, scalar.text.data());
    } else {
        append({number, scalar.type, 0, sizeof scalar.bits}, &scalar.bits);
    }
}

void AttrWriter::copy(AttrBytes attrs) {
    std::memcpy(bytes_ + size_, attrs.data, attrs.size);
    size_ += attrs.size;
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
