// cirron.mark: a value for the innermost open scope.
#include <algorithm>

#include "python.hpp"
#include "text.hpp"

namespace cirron {

namespace {

PyObject* g_parameters[3];  // name, value, kind
PyObject* g_point = nullptr;
PyObject* g_summary = nullptr;

constexpr int kParameters = 3;

struct Arguments {
    PyObject* given[kParameters] = {nullptr, nullptr, nullptr};  // borrowed
    Py_ssize_t keyword[kParameters] = {-1, -1, -1};              // which keyword gave it, if one did
    Py_ssize_t attr_count = 0;

    bool is_parameter(Py_ssize_t i) const {
        return std::find(keyword, keyword + kParameters, i) != keyword + kParameters;
    }
};

// A Python object that ends with the block.
class Owned {
  public:
    explicit Owned(PyObject* object) : object_(object) {}
    // Without the GIL only when the thread is being ended by the interpreter's own end.
    ~Owned() {
        if (object_ != nullptr && PyGILState_Check()) Py_DECREF(object_);
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    PyObject* get() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }

  private:
    PyObject* object_;
};

int parameter_of(PyObject* key, const Arguments& arguments) {
    for (int i = 0; i < kParameters; ++i) {
        if (arguments.given[i] == nullptr && is_keyword(key, g_parameters[i])) return i;
    }
    return -1;
}

bool equals(PyObject* text, PyObject* expected) {
    return text == expected || (PyUnicode_Check(text) && PyUnicode_Compare(text, expected) == 0);
}

std::string type_name(PyObject* value) { return Py_TYPE(value)->tp_name; }

// Sorts a call's arguments; what is no parameter is an attribute.
Arguments sort_arguments(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    Arguments arguments;
    std::copy(args, args + std::min<Py_ssize_t>(count, 3), arguments.given);
    for (Py_ssize_t i = 0; keywords != nullptr && i < PyTuple_GET_SIZE(keywords); ++i) {
        int parameter = parameter_of(PyTuple_GET_ITEM(keywords, i), arguments);
        if (parameter >= 0) {
            arguments.given[parameter] = args[count + i];
            arguments.keyword[parameter] = i;
        } else {
            ++arguments.attr_count;
        }
    }
    return arguments;
}

// The value as `cirron._recorder.values.coerce` sees it: a plain one or one still on a device. A new reference; null
// with an exception set.
PyObject* coerce(PyObject* value) {
    static PyObject* function = nullptr;
    if (function == nullptr) {
        Owned module(PyImport_ImportModule("cirron._recorder.values"));
        if (!module) return nullptr;
        function = PyObject_GetAttrString(module.get(), "coerce");
        if (function == nullptr) return nullptr;
    }
    return PyObject_CallOneArg(function, value);
}

// False with an exception set when it has to be passed on.
bool read_unusual_value(Recorder* recorder, PyObject* value, Scalar& scalar) {
    Owned plain(coerce(value));
    if (plain && read_scalar(plain.get(), scalar)) {
        scalar.holder = std::string(scalar.text);
        scalar.text = scalar.holder;
        return true;
    }
    if (plain && recorder->is_closed()) return true;  // by what the conversion ran
    if (plain) {
        scalar.type = ValueType::kDeferred;
        scalar.bits = recorder->deferred().add(plain.get());
        return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    scalar.type = ValueType::kText;
    scalar.holder = std::string(cut_text(type_name(value), kMaxText));
    scalar.text = scalar.holder;
    scalar.bits = scalar.text.size();
    recorder->count_rejected_mark("a mark's value of type " + type_name(value) +
                                  " is recorded as the name of its type: marks hold one number, bool or string."
                                  " Mark a single element of it, or its mean; tensors belong in snapshots");
    return true;
}

bool is_summary(Recorder* recorder, PyObject* kind) {
    if (kind == nullptr || kind == g_point || equals(kind, g_point)) return false;
    if (equals(kind, g_summary)) return true;
    recorder->count_rejected_mark("a mark's kind is neither 'point' nor 'summary'; it is recorded as 'point'");
    return false;
}

// `values` are atoms. Runs no Python code, and is a function of its own for the room that the attributes take on the
// stack: what does run Python code may come back to cirron many levels deep.
[[gnu::noinline]] void write_mark(Recorder* recorder, const Arguments& arguments, PyObject* name, const Scalar& value,
                                  PyObject* const* values, PyObject* keywords) {
    AttrWriter attrs(recorder->names());
    uint32_t number = recorder->names().number_of(name);
    if (number == 0) attrs.add_key_text(name);
    Py_ssize_t count = arguments.attr_count == 0 ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (!arguments.is_parameter(i)) attrs.add(PyTuple_GET_ITEM(keywords, i), values[i]);
    }
    if (attrs.dropped() > 0) recorder->count_internal_error("attribute dropped");
    recorder->mark(number, value, is_summary(recorder, arguments.given[2]), attrs.bytes());
}

bool are_atoms(PyObject* const* values, Py_ssize_t count) { return std::all_of(values, values + count, is_atom); }

// As write_mark, for values of any kind. False with an exception set when it has to be passed on.
bool convert_and_write_mark(Recorder* recorder, const Arguments& arguments, PyObject* name, const Scalar& value,
                            PyObject* const* values, PyObject* keywords) {
    Py_ssize_t count = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    if (are_atoms(values, count)) {
        write_mark(recorder, arguments, name, value, values, keywords);
        return true;
    }
    Owned atoms(PyTuple_New(count));
    for (Py_ssize_t i = 0; atoms && i < count; ++i) {
        PyObject* atom = arguments.is_parameter(i) ? Py_NewRef(Py_None) : to_atom(values[i]);
        if (atom == nullptr) return false;
        PyTuple_SET_ITEM(atoms.get(), i, atom);
    }
    if (!atoms) return false;
    if (recorder->is_closed()) return true;  // by what an attribute's __str__ did
    write_mark(recorder, arguments, name, value, &PyTuple_GET_ITEM(atoms.get(), 0), keywords);
    return true;
}

// mark("loss", 0.5) and its like: a name in the table, a float or int, nothing else.
bool record_plain_mark(Recorder* recorder, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (count != 2 || keywords != nullptr || !PyUnicode_CheckExact(args[0])) return false;
    if (!PyFloat_CheckExact(args[1]) && !PyLong_CheckExact(args[1])) return false;
    uint32_t number = recorder->names().number_of(args[0]);
    if (number == 0) return false;
    Scalar value;
    read_scalar(args[1], value);
    recorder->mark(number, value, false, {nullptr, 0});
    return true;
}

bool record_mark(Recorder* recorder, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (count > 3) recorder->count_internal_error("mark with more than a name, a value and a kind");
    Arguments arguments = sort_arguments(args, count, keywords);
    if (arguments.given[0] == nullptr || arguments.given[1] == nullptr) {
        recorder->count_rejected_mark("a mark without a name or a value is not recorded: cirron.mark(name, value)");
        return true;
    }
    Scalar value;
    if (!read_scalar(arguments.given[1], value)) {
        if (!read_unusual_value(recorder, arguments.given[1], value)) return false;
        if (recorder->is_closed()) return true;  // by what the value's conversion ran
    }
    PyObject* given_name = arguments.given[0];
    if (PyUnicode_CheckExact(given_name) && arguments.attr_count == 0) [[likely]] {
        if (uint32_t number = recorder->names().number_of(given_name)) {
            recorder->mark(number, value, is_summary(recorder, arguments.given[2]), {nullptr, 0});
            return true;
        }
    }
    if (PyUnicode_CheckExact(given_name)) {
        return convert_and_write_mark(recorder, arguments, given_name, value, args + count, keywords);
    }
    Owned name(to_name(given_name));
    if (!name) return false;
    if (recorder->is_closed()) return true;  // by what the name's __str__ did
    return convert_and_write_mark(recorder, arguments, name.get(), value, args + count, keywords);
}

// Then no Python code runs; else it may end the session and let go of its recorder.
bool is_all_atoms(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return are_atoms(args, count + (keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords)));
}

}  // namespace

PyObject* make_mark(RecorderObject* bound, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    Recorder* recorder;
    if (!find_target(bound, recorder)) return nullptr;
    if (recorder == nullptr) Py_RETURN_NONE;
    bool recorded = false;
    bool kept = guarded(recorder, "mark", [&] { recorded = record_plain_mark(recorder, args, count, keywords); });
    if (!kept) recorder->count_lost_mark();
    if (!kept || recorded) Py_RETURN_NONE;
    PyObject* object = bound != nullptr ? reinterpret_cast<PyObject*>(bound) : default_recorder_object();
    Owned keep(is_all_atoms(args, count, keywords) ? nullptr : Py_NewRef(object));
    bool passed = true;
    if (!guarded(recorder, "mark", [&] { passed = record_mark(recorder, args, count, keywords); }))
        recorder->count_lost_mark();
    if (!passed) return nullptr;
    Py_RETURN_NONE;
}

int init_mark() {
    const char* names[] = {"name", "value", "kind"};
    for (int i = 0; i < 3; ++i) {
        g_parameters[i] = PyUnicode_InternFromString(names[i]);
        if (g_parameters[i] == nullptr) return -1;
    }
    g_point = PyUnicode_InternFromString("point");
    g_summary = PyUnicode_InternFromString("summary");
    return g_point == nullptr || g_summary == nullptr ? -1 : 0;
}

}  // namespace cirron
