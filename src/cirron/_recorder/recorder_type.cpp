// The Python type Recorder; see native.pyi for what each method promises.
#define PY_SSIZE_T_CLEAN
#include <algorithm>
#include <charconv>
#include <cstring>

#include "errors.hpp"
#include "python.hpp"

namespace cirron {

namespace {

extern PyTypeObject g_recorder_type;

RecorderObject* as_object(PyObject* object) { return reinterpret_cast<RecorderObject*>(object); }
Recorder* recorder_of(PyObject* object) { return as_object(object)->recorder; }

PyObject* to_python(const std::string& text) {
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyObject* recorder_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"spool_dir",       "journal_dir", "batch_fields", "rank", "ring_marks",
                                  "batch_max_bytes", "fsync",       "keep_batches", nullptr};
    PyObject* spool_dir = nullptr;
    PyObject* journal_dir = Py_None;
    const char* fields = "";
    Py_ssize_t fields_size = 0;
    RecorderOptions options;
    long long rank = 0;
    unsigned int ring_marks = options.ring_marks;
    unsigned long long batch_max_bytes = options.batch_max_bytes;
    int fsync = 0;
    int keep_batches = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$OOy#LIKpp:Recorder", const_cast<char**>(names), &spool_dir,
                                     &journal_dir, &fields, &fields_size, &rank, &ring_marks, &batch_max_bytes, &fsync,
                                     &keep_batches)) {
        return nullptr;
    }
    if (spool_dir == nullptr) {
        PyErr_SetString(PyExc_TypeError, "Recorder() needs spool_dir");
        return nullptr;
    }
    if (!read_path(spool_dir, options.spool_dir)) return nullptr;
    if (journal_dir != Py_None && !read_path(journal_dir, options.journal_dir)) return nullptr;
    if (ring_marks > 1u << 26) {
        PyErr_Format(PyExc_ValueError, "ring_marks=%u is too large: a ring holds at most %u marks", ring_marks,
                     1u << 26);
        return nullptr;
    }
    options.batch_fields.assign(fields, static_cast<size_t>(fields_size));
    options.rank = rank;
    options.ring_marks = ring_marks;
    options.batch_max_bytes = batch_max_bytes;
    options.fsync = fsync != 0;
    options.keep_batches = keep_batches != 0;
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    try {
        as_object(object)->recorder = new Recorder(std::move(options));
    } catch (...) {
        set_python_error();
        Py_CLEAR(object);
    }
    return object;
}

void recorder_dealloc(PyObject* object) {
    delete recorder_of(object);
    Py_TYPE(object)->tp_free(object);
}

// ---- recording ----------------------------------------------------------------------------------------------------

PyObject* recorder_scope(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return make_scope(as_object(self), args, count, keywords);
}

PyObject* recorder_mark(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return make_mark(as_object(self), args, count, keywords);
}

// Of an id of this recorder, the half of its own; nullopt for any other text.
std::optional<uint64_t> low_half(Recorder* recorder, const char* hex, Py_ssize_t size) {
    std::string prefix = hex_id(recorder->journal().header().session.id_prefix, 0).substr(0, 16);
    uint64_t id = 0;
    if (size != 32 || std::memcmp(hex, prefix.data(), 16) != 0) return std::nullopt;
    auto [end, error] = std::from_chars(hex + 16, hex + 32, id, 16);
    return error == std::errc() && end == hex + 32 ? std::optional(id) : std::nullopt;
}

PyObject* recorder_mark_at(PyObject* self, PyObject* args) {
    const char* hex;
    Py_ssize_t size;
    PyObject* name;
    PyObject* given;
    int is_summary;
    if (!PyArg_ParseTuple(args, "s#UOp:mark_at", &hex, &size, &name, &given, &is_summary)) return nullptr;
    Recorder* recorder = target(as_object(self));
    if (recorder == nullptr) Py_RETURN_NONE;
    std::optional<uint64_t> span = low_half(recorder, hex, size);
    Scalar value;
    if (!span || !read_scalar(given, value)) {
        PyErr_SetString(PyExc_ValueError, "mark_at() takes the id of a scope of this session, and a number or text");
        return nullptr;
    }
    uint32_t number = 0;  // of a name for which there is room
    guarded(recorder, "mark", [&] {
        number = recorder->names().number_of(name);
        if (number != 0) recorder->mark_at(recorder->place_of(*span), number, value, is_summary != 0);
    });
    if (number == 0) recorder->count_lost_mark();
    Py_RETURN_NONE;
}

PyObject* recorder_epochs(PyObject* self, PyObject* iterable) { return make_loop(as_object(self), iterable, true); }
PyObject* recorder_batches(PyObject* self, PyObject* iterable) { return make_loop(as_object(self), iterable, false); }

PyObject* recorder_innermost(PyObject* self, PyObject* names) { return find_innermost(as_object(self), names); }

PyObject* recorder_scope_unless(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    return make_scope_unless(as_object(self), args, count);
}

PyObject* recorder_set_overhead(PyObject* self, PyObject* args) {
    unsigned long long scope_ns, mark_ns;
    if (!PyArg_ParseTuple(args, "KK:set_overhead", &scope_ns, &mark_ns)) return nullptr;
    recorder_of(self)->set_overhead(scope_ns, mark_ns);
    Py_RETURN_NONE;
}

// ---- draining -----------------------------------------------------------------------------------------------------

PyObject* recorder_wait(PyObject* self, PyObject* timeout) {
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
    return translated([&] {
        bool woken = false;
        without_gil([&] { woken = recorder_of(self)->wait(seconds); });
        return PyBool_FromLong(woken);
    });
}

PyObject* recorder_wake(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        recorder_of(self)->wake();
        Py_RETURN_NONE;
    });
}

// Of an argument that may be None. False with an exception set when it is neither that nor a number.
bool read_timeout(PyObject* argument, std::optional<double>& timeout_s) {
    if (argument == Py_None) return true;
    timeout_s = PyFloat_AsDouble(argument);
    return !PyErr_Occurred();
}

PyObject* recorder_drain(PyObject* self, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"timeout_s", nullptr};
    PyObject* timeout = Py_None;
    std::optional<double> timeout_s;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:drain", const_cast<char**>(names), &timeout) ||
        !read_timeout(timeout, timeout_s)) {
        return nullptr;
    }
    return translated([&] {
        uint64_t batches = 0;
        without_gil([&] { batches = recorder_of(self)->drain(timeout_s); });
        return PyLong_FromUnsignedLongLong(batches);
    });
}

// A batch that there is no memory for is forgotten, and the others arrive all the same.
PyObject* recorder_take_batches(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        PyObject* list = PyList_New(0);
        if (list == nullptr) return nullptr;
        for (const std::string& batch : recorder_of(self)->take_batches()) {
            PyObject* bytes = PyBytes_FromStringAndSize(batch.data(), static_cast<Py_ssize_t>(batch.size()));
            if (bytes == nullptr || PyList_Append(list, bytes) != 0) {
                PyErr_Clear();
                recorder_of(self)->count_forgotten_batch();
            }
            Py_XDECREF(bytes);
        }
        return list;
    });
}

PyObject* recorder_take_deferred(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        PyObject* list = PyList_New(0);
        if (list == nullptr) return nullptr;
        for (auto& [key, value] : recorder_of(self)->take_deferred()) {
            PyObject* pair =
                list == nullptr ? nullptr : Py_BuildValue("KO", static_cast<unsigned long long>(key), value);
            if (pair == nullptr || PyList_Append(list, pair) != 0) Py_CLEAR(list);
            Py_XDECREF(pair);
            Py_DECREF(value);
        }
        return list;
    });
}

PyObject* recorder_resolve(PyObject* self, PyObject* args) {
    return translated([&]() -> PyObject* {
        unsigned long long key;
        PyObject* value;
        if (!PyArg_ParseTuple(args, "KO:resolve", &key, &value)) return nullptr;
        if (!recorder_of(self)->is_abandoned()) recorder_of(self)->deferred().resolve(key, value);
        Py_RETURN_NONE;
    });
}

PyObject* recorder_close(PyObject* self, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"ended", "timeout_s", nullptr};
    const char* ended;
    PyObject* timeout = Py_None;
    std::optional<double> timeout_s;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "s|O:close", const_cast<char**>(names), &ended, &timeout) ||
        !read_timeout(timeout, timeout_s)) {
        return nullptr;
    }
    return translated([&]() -> PyObject* {
        recorder_of(self)->close_session(ended, timeout_s);
        Py_RETURN_NONE;
    });
}

PyObject* recorder_set_ending(PyObject* self, PyObject* ended) {
    Py_ssize_t bytes = 0;
    const char* text = PyUnicode_AsUTF8AndSize(ended, &bytes);
    if (text == nullptr) return nullptr;
    return translated([&]() -> PyObject* {
        recorder_of(self)->set_ending({text, static_cast<size_t>(bytes)});
        Py_RETURN_NONE;
    });
}

// ---- facts --------------------------------------------------------------------------------------------------------

PyObject* recorder_take_warnings(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        PyObject* list = PyList_New(0);
        if (list == nullptr) return nullptr;
        for (const std::string& message : recorder_of(self)->take_warnings()) {
            PyObject* text = to_python(message);
            if (text == nullptr || PyList_Append(list, text) != 0) Py_CLEAR(list);
            Py_XDECREF(text);
            if (list == nullptr) break;
        }
        return list;
    });
}

PyObject* recorder_count_spool_drops(PyObject* self, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"batches", "spans", "marks", "memory", nullptr};
    long long batches, spans, marks, memory = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "LLL|L:count_spool_drops", const_cast<char**>(names), &batches,
                                     &spans, &marks, &memory)) {
        return nullptr;
    }
    if (batches < 0 || spans < 0 || marks < 0 || memory < 0) {
        PyErr_Format(PyExc_ValueError, "counts of what was dropped are not negative: %lld, %lld, %lld, %lld", batches,
                     spans, marks, memory);
        return nullptr;
    }
    recorder_of(self)->count_spool_drops(
        static_cast<uint64_t>(batches),
        {static_cast<uint64_t>(spans), static_cast<uint64_t>(marks), static_cast<uint64_t>(memory)});
    Py_RETURN_NONE;
}

PyObject* recorder_depth(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        Recorder* recorder = target(as_object(self));
        return PyLong_FromUnsignedLong(recorder == nullptr ? 0 : recorder->depth());
    });
}

PyObject* recorder_here(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        Recorder* recorder = target(as_object(self));
        std::optional<uint64_t> id = recorder == nullptr ? std::nullopt : recorder->innermost_id();
        if (!id) Py_RETURN_NONE;
        return scope_and_time(recorder, *id);
    });
}

PyObject* recorder_add_snapshots(PyObject* self, PyObject* records) {
    return translated([&]() -> PyObject* {
        PyObject* list = PySequence_Fast(records, "add_snapshots() takes a sequence of bytes");
        if (list == nullptr) return nullptr;
        bool whole = true;
        for (Py_ssize_t i = 0; whole && i < PySequence_Fast_GET_SIZE(list); ++i) {
            char* json;
            Py_ssize_t bytes;
            whole = PyBytes_AsStringAndSize(PySequence_Fast_GET_ITEM(list, i), &json, &bytes) == 0;
            if (whole) recorder_of(self)->add_snapshot({json, static_cast<size_t>(bytes)});
        }
        Py_DECREF(list);
        recorder_of(self)->wake();
        if (!whole) return nullptr;
        Py_RETURN_NONE;
    });
}

PyObject* recorder_add_memory(PyObject* self, PyObject* record) { return make_memory(as_object(self), record); }

// Has the recorder keep a function, or none. Null with an exception set when it is neither.
PyObject* keep_function(PyObject* self, PyObject* function, void (Recorder::*keep)(PyObject*)) {
    if (function != Py_None && PyCallable_Check(function) == 0) {
        PyErr_Format(PyExc_TypeError, "expected a callable or None, not %s", Py_TYPE(function)->tp_name);
        return nullptr;
    }
    Recorder* recorder = target(as_object(self));
    if (recorder != nullptr) (recorder->*keep)(function == Py_None ? nullptr : function);
    Py_RETURN_NONE;
}

PyObject* recorder_set_epoch_end(PyObject* self, PyObject* function) {
    return keep_function(self, function, &Recorder::set_epoch_end);
}

PyObject* recorder_set_meter(PyObject* self, PyObject* meter) {
    return keep_function(self, meter, &Recorder::set_meter);
}

PyObject* recorder_add_overhead(PyObject* self, PyObject* ns) {
    uint64_t spent_ns = PyLong_AsUnsignedLongLong(ns);
    if (PyErr_Occurred()) return nullptr;
    return translated([&]() -> PyObject* {
        Recorder* recorder = target(as_object(self));
        if (recorder != nullptr) recorder->add_overhead_ns(spent_ns);
        Py_RETURN_NONE;
    });
}

PyObject* recorder_open_spans(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        std::string json = recorder_of(self)->open_spans();
        return PyBytes_FromStringAndSize(json.data(), static_cast<Py_ssize_t>(json.size()));
    });
}

bool set_count(PyObject* dict, const char* key, uint64_t count) {
    PyObject* number = PyLong_FromUnsignedLongLong(count);
    bool done = number != nullptr && PyDict_SetItemString(dict, key, number) == 0;
    Py_XDECREF(number);
    return done;
}

PyObject* errors_to_python(const std::map<std::string, uint64_t>& errors) {
    PyObject* dict = PyDict_New();
    for (const auto& [place, count] : errors) {
        if (dict != nullptr && !set_count(dict, place.c_str(), count)) Py_CLEAR(dict);
    }
    return dict;
}

PyObject* threads_to_python(const std::vector<Recorder::ThreadCounters>& threads) {
    PyObject* list = PyList_New(0);
    for (const auto& thread : threads) {
        if (list == nullptr) break;
        PyObject* dict = PyDict_New();
        bool whole = dict != nullptr && set_count(dict, "thread_id", thread.thread_id) &&
                     set_count(dict, "spans_dropped", thread.spans_dropped) &&
                     set_count(dict, "marks_dropped", thread.marks_dropped) && PyList_Append(list, dict) == 0;
        Py_XDECREF(dict);
        if (!whole) Py_CLEAR(list);
    }
    return list;
}

PyObject* recorder_counters(PyObject* self, PyObject*) {
    return translated([&]() -> PyObject* {
        Recorder::Counters counters = recorder_of(self)->counters();
        const DrainTotals& drained = counters.drained;
        PyObject* errors = errors_to_python(counters.internal_errors);
        PyObject* threads = threads_to_python(counters.threads);
        PyObject* dict = PyDict_New();
        bool whole = dict != nullptr && errors != nullptr && threads != nullptr &&
                     set_count(dict, "spans_recorded", drained.spans + counters.dropped.spans) &&
                     set_count(dict, "marks_recorded", drained.marks + counters.dropped.marks) &&
                     set_count(dict, "spans_dropped", counters.dropped.spans) &&
                     set_count(dict, "marks_dropped", counters.dropped.marks) &&
                     set_count(dict, "memory_recorded", drained.memory + counters.dropped.memory) &&
                     set_count(dict, "memory_dropped", counters.dropped.memory) &&
                     set_count(dict, "scopes_too_deep", counters.scopes_too_deep) &&
                     set_count(dict, "marks_rejected", counters.marks_rejected) &&
                     set_count(dict, "batches_sealed", drained.batches) &&
                     set_count(dict, "bytes_sealed", drained.bytes) &&
                     set_count(dict, "seal_failures", drained.failures) &&
                     set_count(dict, "batches_forgotten", counters.batches_forgotten) &&
                     set_count(dict, "snapshots_dropped", counters.snapshots_dropped) &&
                     set_count(dict, "requests_left_out", counters.requests_left_out) &&
                     PyDict_SetItemString(dict, "internal_errors", errors) == 0 &&
                     PyDict_SetItemString(dict, "threads", threads) == 0;
        Py_XDECREF(errors);
        Py_XDECREF(threads);
        if (!whole) Py_CLEAR(dict);
        return dict;
    });
}

PyObject* get_session_id(PyObject* self, void*) { return to_python(recorder_of(self)->session_id()); }
PyObject* get_journal_kind(PyObject* self, void*) { return to_python(recorder_of(self)->journal_kind()); }

PyObject* get_journal_intact(PyObject* self, void*) {
    return translated([&] {
        bool intact = true;
        without_gil([&] { intact = recorder_of(self)->journal_intact(); });
        return PyBool_FromLong(intact);
    });
}

PyObject* get_closed(PyObject* self, void*) { return PyBool_FromLong(recorder_of(self)->is_closed()); }

PyObject* get_journal_path(PyObject* self, void*) {
    const std::string& path = recorder_of(self)->journal().path();
    if (path.empty()) Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
}

template <typename Function>
PyCFunction method(Function function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef g_methods[] = {
    {"scope", method(recorder_scope), kFast, nullptr},
    {"mark", method(recorder_mark), kFast, nullptr},
    {"mark_at", recorder_mark_at, METH_VARARGS, nullptr},
    {"epochs", recorder_epochs, METH_O, nullptr},
    {"batches", recorder_batches, METH_O, nullptr},
    {"innermost", recorder_innermost, METH_O, nullptr},
    {"scope_unless", method(recorder_scope_unless), METH_FASTCALL, nullptr},
    {"set_overhead", recorder_set_overhead, METH_VARARGS, nullptr},
    {"wait", recorder_wait, METH_O, nullptr},
    {"wake", recorder_wake, METH_NOARGS, nullptr},
    {"drain", method(recorder_drain), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"take_batches", recorder_take_batches, METH_NOARGS, nullptr},
    {"take_deferred", recorder_take_deferred, METH_NOARGS, nullptr},
    {"resolve", recorder_resolve, METH_VARARGS, nullptr},
    {"take_warnings", recorder_take_warnings, METH_NOARGS, nullptr},
    {"depth", recorder_depth, METH_NOARGS, nullptr},
    {"here", recorder_here, METH_NOARGS, nullptr},
    {"add_snapshots", recorder_add_snapshots, METH_O, nullptr},
    {"add_memory", recorder_add_memory, METH_O, nullptr},
    {"set_epoch_end", recorder_set_epoch_end, METH_O, nullptr},
    {"add_overhead", recorder_add_overhead, METH_O, nullptr},
    {"set_meter", recorder_set_meter, METH_O, nullptr},
    {"open_spans", recorder_open_spans, METH_NOARGS, nullptr},
    {"counters", recorder_counters, METH_NOARGS, nullptr},
    {"count_spool_drops", method(recorder_count_spool_drops), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"set_ending", recorder_set_ending, METH_O, nullptr},
    {"close", method(recorder_close), METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_properties[] = {
    {"session_id", get_session_id, nullptr, nullptr, nullptr},
    {"journal_kind", get_journal_kind, nullptr, nullptr, nullptr},
    {"journal_path", get_journal_path, nullptr, nullptr, nullptr},
    {"journal_intact", get_journal_intact, nullptr, nullptr, nullptr},
    {"closed", get_closed, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject g_recorder_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Recorder";
    type.tp_basicsize = sizeof(RecorderObject);
    type.tp_dealloc = recorder_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT;
    type.tp_doc = "One session: its journal, its threads' rings and the batches sealed from them.";
    type.tp_methods = g_methods;
    type.tp_getset = g_properties;
    type.tp_new = recorder_new;
    return type;
}();

// Asks something of the set of a tuple's names. False with an exception set when it is no such tuple.
template <typename Question>
bool with_set(Recorder* recorder, PyObject* names, Question ask) {
    bool is_tuple = true;
    guarded(recorder, "innermost", [&] {
        const NameSet* set = recorder->names().set_of(names);
        is_tuple = set != nullptr;
        if (is_tuple) ask(*set);
    });
    if (!is_tuple) PyErr_Format(PyExc_TypeError, "expected a tuple of names, each a str, not %R", names);
    return is_tuple;
}

// The name of the innermost scope that has one of these, 0 when none has. False as above.
bool look_for(Recorder* recorder, PyObject* names, uint32_t& found) {
    return with_set(recorder, names, [&](const NameSet& set) { found = recorder->innermost(set); });
}

// Keeps the recorder behind the default alive; g_default_recorder may be reset by a close or a fork before it is.
PyObject* g_default_object = nullptr;

}  // namespace

PyObject* find_innermost(RecorderObject* bound, PyObject* names) {
    Recorder* recorder = target(bound);
    uint32_t found = 0;
    if (recorder == nullptr) Py_RETURN_NONE;
    if (!look_for(recorder, names, found)) return nullptr;
    for (Py_ssize_t i = 0; found != 0 && i < PyTuple_GET_SIZE(names); ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (recorder->names().number_of(name) == found) return Py_NewRef(name);
    }
    Py_RETURN_NONE;
}

bool is_within(Recorder* recorder, PyObject* unless, PyObject* names, bool& is_one) {
    uint32_t found = 0;
    return look_for(recorder, names, found) &&
           with_set(recorder, unless, [&](const NameSet& set) { is_one = set.contains(found); });
}

PyObject* make_scope_unless(RecorderObject* bound, PyObject* const* args, Py_ssize_t count) {
    if (count != 3 && count != 4) {
        PyErr_Format(PyExc_TypeError, "expected name, unless, names and perhaps index; got %zd arguments", count);
        return nullptr;
    }
    Recorder* recorder;
    if (!find_target(bound, recorder)) return nullptr;
    if (recorder == nullptr) Py_RETURN_NONE;
    bool is_one = false;
    if (!is_within(recorder, args[1], args[2], is_one)) return nullptr;
    if (is_one) Py_RETURN_NONE;
    PyObject* const given[] = {args[0], count == 4 ? args[3] : Py_None};
    PyObject* scope = make_scope(bound, given, count == 4 ? 2 : 1, nullptr);
    if (scope == nullptr) return nullptr;
    bool is_epoch = PyUnicode_Check(args[0]) && recorder->names().number_of(args[0]) == kEpochName;
    make_ending_early(scope, is_epoch);
    return scope;
}

RecorderObject* as_recorder(PyObject* object) {
    return Py_IS_TYPE(object, &g_recorder_type) ? as_object(object) : nullptr;
}

bool find_target_by(PyObject* find, Recorder*& recorder, PyObject*& held) {
    if (find == nullptr) return find_target(nullptr, recorder);
    held = PyObject_CallNoArgs(find);
    if (held == nullptr) return false;
    RecorderObject* object = as_recorder(held);
    recorder = object == nullptr ? nullptr : target(object);
    return true;
}

PyObject* default_recorder_object() { return g_default_object; }

PyObject* scope_and_time(Recorder* recorder, uint64_t id) {
    std::string hex = hex_id(recorder->journal().header().session.id_prefix, id);
    auto now_ns = static_cast<unsigned long long>(recorder->now_ns());
    return Py_BuildValue("s#K", hex.data(), static_cast<Py_ssize_t>(hex.size()), now_ns);
}

PyObject* make_memory(RecorderObject* bound, PyObject* record) {
    char* json;
    Py_ssize_t bytes;
    if (PyBytes_AsStringAndSize(record, &json, &bytes) != 0) return nullptr;
    Recorder* recorder;
    if (!find_target(bound, recorder)) return nullptr;
    if (recorder == nullptr) Py_RETURN_NONE;
    bool kept = guarded(recorder, "memory", [&] { recorder->memory({json, static_cast<size_t>(bytes)}); });
    if (!kept) recorder->count_lost_memory();
    Py_RETURN_NONE;
}

PyObject* set_default(PyObject*, PyObject* recorder) {
    if (recorder != Py_None && !Py_IS_TYPE(recorder, &g_recorder_type)) {
        PyErr_Format(PyExc_TypeError, "expected a Recorder or None, not %s", Py_TYPE(recorder)->tp_name);
        return nullptr;
    }
    disarm_starter();
    PyObject* before = g_default_object;
    g_default_object = recorder == Py_None ? nullptr : Py_NewRef(recorder);
    g_default_recorder = recorder == Py_None ? nullptr : target(as_object(recorder));
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

int init_recorder_type(PyObject* module) {
    if (PyType_Ready(&g_recorder_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "Recorder", reinterpret_cast<PyObject*>(&g_recorder_type));
}

}  // namespace cirron
