// The object behind `with cirron.scope(...)`.
//
// A with statement looks up __enter__ and __exit__ on the type and would make a bound method of each. Here both are
// descriptors that give back the scope itself, and the scope is called: with nothing to enter, with the three exception
// arguments to exit, with one function to decorate. That saves more than half of what the protocol costs.
#include <algorithm>
#include <utility>
#include <vector>

#include "python.hpp"

namespace cirron {

namespace {

constexpr Py_ssize_t kInlineAttrs = 4;
constexpr char kBadIndex[] = "scope index is no 64-bit integer";

struct Scope {
    PyObject ob_base;
    vectorcallfunc call;
    RecorderObject* bound;  // owned; null: the default recorder
    PyObject* name;         // owned
    int64_t index;
    bool has_index;
    bool is_epoch;
    bool ends_early;
    bool needs_values;                // true when `values` was allocated
    OpenFrame open;                   // the innermost
    std::vector<OpenFrame>* earlier;  // owned; those still open when the scope was entered again, or null
    PyObject* keys;                   // owned tuple, or null; as long as `values`
    PyObject** values;                // owned atoms; null where the key was a parameter
    PyObject* inline_values[kInlineAttrs];
};

extern PyTypeObject g_scope_type;
PyObject* g_name_parameter = nullptr;
PyObject* g_index_parameter = nullptr;

// Scopes come and go by the million: their memory is kept. Guarded by the GIL.
constexpr int kMaxSpare = 64;
Scope* g_spare[kMaxSpare];
int g_spare_count = 0;

Scope* as_scope(PyObject* object) { return reinterpret_cast<Scope*>(object); }

// ---- entering and leaving -----------------------------------------------------------------------------------------

void keep(Scope* self, Recorder* recorder, Frame* frame) {
    if (frame == nullptr) return;
    if (self->open.frame != nullptr) [[unlikely]] {
        if (self->earlier == nullptr) self->earlier = new std::vector<OpenFrame>;
        self->earlier->push_back(self->open);
    }
    self->open = {frame, recorder->registration()};
}

// False with an exception set when it has to be passed on.
bool measure(Recorder* recorder, OpenFrame& open) {
    if (open.recorder() != recorder || open.reading != nullptr || open.frame->is_ghost) return true;
    return !Recorder::is_measured(open.frame->name) || begin_reading(recorder, open);
}

// Likewise.
bool follow(Recorder* recorder, OpenFrame& open, PyObject* name) {
    if (open.recorder() != recorder || open.frame->is_ghost) return true;
    return open.followed != nullptr || begin_following(open, name);
}

// A function of its own for the room that the attributes take on the stack.
[[gnu::noinline]] Frame* open_with_attrs(Scope* self, Recorder* recorder, Opening& opening) {
    AttrWriter attrs(recorder->names());
    if (opening.name == 0) attrs.add_key_text(self->name);
    for (Py_ssize_t i = 0; self->keys != nullptr && i < PyTuple_GET_SIZE(self->keys); ++i) {
        if (self->values[i] != nullptr) attrs.add(PyTuple_GET_ITEM(self->keys, i), self->values[i]);
    }
    if (attrs.dropped() > 0) recorder->count_internal_error("attribute dropped");
    opening.attrs = attrs.bytes();
    return recorder->open(opening, now_ticks());
}

// False with an exception set when it has to be passed on.
bool enter_in(Scope* self, Recorder* recorder) {
    bool opened = guarded(recorder, "scope enter", [&] {
        Opening opening;
        opening.name = recorder->names().number_of(self->name);
        opening.index = self->index;
        opening.has_index = self->has_index;
        opening.is_epoch = self->is_epoch;
        opening.ends_early = self->ends_early;
        bool is_plain = self->keys == nullptr && opening.name != 0;
        keep(self, recorder,
             is_plain ? recorder->open(opening, now_ticks()) : open_with_attrs(self, recorder, opening));
    });
    if (!opened) recorder->count_lost_span();
    return begin_calls(recorder, self->open, self->name);
}

PyObject* enter(Scope* self) {
    Recorder* recorder;
    if (!find_target(self->bound, recorder)) return nullptr;
    if (recorder != nullptr && !enter_in(self, recorder)) return nullptr;
    return Py_NewRef(reinterpret_cast<PyObject*>(self));
}

// True for a frame opened by the thread or task that runs now.
bool is_opened_here(const OpenFrame& open) {
    Recorder* recorder = open.recorder();
    return recorder != nullptr && open.frame->stack == recorder->stack_here();
}

// Of a scope entered several times, the frame to close: the latest of the thread or task that leaves, else the latest.
OpenFrame take_one_of_several(Scope* self) {
    self->earlier->push_back(self->open);
    auto found = std::find_if(self->earlier->rbegin(), self->earlier->rend(), is_opened_here);
    if (found == self->earlier->rend()) found = self->earlier->rbegin();
    OpenFrame taken = *found;
    self->earlier->erase(std::next(found).base());
    self->open = self->earlier->back();
    self->earlier->pop_back();
    return taken;
}

// False with an exception set when it has to be passed on.
bool end_calls(OpenFrame& open, Measures& measures, bool is_cancelled = false) {
    if (end_following(open, is_cancelled)) [[likely]]
        return end_reading(open, measures);
    Py_CLEAR(open.reading);
    return false;
}

// The type of the exception that leaves a scope, or null. A generator that is closed early has not failed.
PyObject* failure(PyObject* error) {
    bool failed = error != Py_None && error != PyExc_GeneratorExit && PyType_Check(error);
    return failed ? error : nullptr;
}

// Where somebody is to be told of the end, or the scope was entered several times. Apart from leave(), which would pay
// for the registers that this needs.
[[gnu::noinline]] bool leave_in_full(Scope* self, PyObject* error) {
    bool is_one = self->earlier == nullptr || self->earlier->empty();
    return close_frame(is_one ? std::exchange(self->open, {}) : take_one_of_several(self), error);
}

bool leave(Scope* self, PyObject* error) {
    if (self->earlier != nullptr || self->open.is_watched()) [[unlikely]]
        return leave_in_full(self, error);
    OpenFrame open = std::exchange(self->open, {});
    if (Recorder* recorder = open.recorder())
        guarded(recorder, "scope exit", [&] { recorder->close(open.frame, now_ticks(), failure(error)); });
    return true;
}

PyObject* decorate(PyObject* self, PyObject* function) {
    PyObject* module = PyImport_ImportModule("cirron._recorder.decorate");
    if (module == nullptr) return nullptr;
    PyObject* again = PyObject_GetAttrString(self, "_again");
    PyObject* wrapped = again == nullptr ? nullptr : PyObject_CallMethod(module, "decorate", "OO", function, again);
    Py_XDECREF(again);
    Py_DECREF(module);
    return wrapped;
}

PyObject* scope_call(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (keywords == nullptr || PyTuple_GET_SIZE(keywords) == 0) {
        if (count == 0) return enter(as_scope(self));
        if (count == 3) {
            if (!leave(as_scope(self), args[0])) return nullptr;
            Py_RETURN_NONE;
        }
        if (count == 1) return decorate(self, args[0]);
    }
    PyErr_SetString(PyExc_TypeError, "a scope is called with one function, to decorate it: @cirron.scope(name)");
    return nullptr;
}

// ---- making and unmaking ------------------------------------------------------------------------------------------

Scope* allocate() {
    Scope* self;
    if (g_spare_count > 0) {
        self = g_spare[--g_spare_count];
        PyObject_Init(reinterpret_cast<PyObject*>(self), &g_scope_type);
    } else {
        self = PyObject_New(Scope, &g_scope_type);
        if (self == nullptr) return nullptr;
        self->call = scope_call;
    }
    self->bound = nullptr;
    self->name = nullptr;
    self->has_index = false;
    self->is_epoch = self->ends_early = false;
    self->needs_values = false;
    self->open = {};
    self->earlier = nullptr;
    self->keys = nullptr;
    return self;
}

// Nobody can leave the scope any more: it ends here. An exception may be on its way.
void abandon(Scope* self) {
    ErrorAside aside;
    PyObject* error = aside.type() == nullptr ? Py_None : aside.type();
    while (self->open.frame != nullptr) {
        if (!leave(self, error)) PyErr_WriteUnraisable(nullptr);
    }
}

// ---- what the hooks ask of a scope that they have entered once ----------------------------------------------------

PyObject* scope_cancel(PyObject* object, PyObject*) {
    Scope* self = as_scope(object);
    Recorder* recorder = self->open.recorder();
    if (recorder == nullptr) Py_RETURN_TRUE;
    if (self->open.frame->used_as_parent) Py_RETURN_FALSE;
    OpenFrame open = std::exchange(self->open, {});
    Measures measures;
    bool goes_on = end_calls(open, measures, true);
    if (measures.gpu_time != 0) recorder->deferred().forget(measures.gpu_time);
    if (open.recorder() != nullptr) guarded(recorder, "scope cancel", [&] { recorder->cancel(open.frame); });
    if (!goes_on) return nullptr;
    Py_RETURN_TRUE;
}

PyObject* scope_rename(PyObject* object, PyObject* name) {
    Scope* self = as_scope(object);
    Recorder* recorder = self->open.recorder();
    if (recorder != nullptr && PyUnicode_Check(name)) {
        guarded(recorder, "scope rename", [&] { recorder->rename(self->open.frame, name); });
    }
    Py_RETURN_NONE;
}

PyObject* scope_place(PyObject* object, PyObject*) {
    Scope* self = as_scope(object);
    Recorder* recorder = self->open.recorder();
    if (recorder == nullptr || self->open.frame->is_ghost) Py_RETURN_NONE;
    return scope_and_time(recorder, self->open.frame->id);
}

PyObject* scope_summarize(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    Scope* self = as_scope(object);
    Scalar value;
    if (count != 2 || !PyUnicode_Check(args[0]) || !read_scalar(args[1], value)) {
        PyErr_SetString(PyExc_TypeError, "expected a name and a plain value");
        return nullptr;
    }
    Recorder* recorder = self->open.recorder();
    if (recorder == nullptr || self->open.frame->is_ghost) Py_RETURN_NONE;
    uint32_t number = 0;  // of a name for which there is room
    guarded(recorder, "scope summary", [&] {
        number = recorder->names().number_of(args[0]);
        if (number != 0) recorder->mark_at(recorder->place_of(self->open.frame->id), number, value, true);
    });
    if (number == 0) recorder->count_lost_mark();
    Py_RETURN_NONE;
}

void scope_dealloc(PyObject* object) {
    Scope* self = as_scope(object);
    if (self->open.frame != nullptr) abandon(self);
    delete self->earlier;
    if (self->keys != nullptr) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->keys); ++i) Py_XDECREF(self->values[i]);
        if (self->needs_values) PyMem_Free(self->values);
        Py_DECREF(self->keys);
    }
    Py_XDECREF(self->name);
    Py_XDECREF(reinterpret_cast<PyObject*>(self->bound));
    if (g_spare_count < kMaxSpare) {
        g_spare[g_spare_count++] = self;
    } else {
        PyObject_Free(object);
    }
}

void count_misuse(Scope* self, const char* what) {
    if (Recorder* recorder = target(self->bound)) recorder->count_internal_error(what);
}

bool set_index(Scope* self, PyObject* index) {
    if (index == Py_None) return true;
    int overflow = 0;
    long long number =
        PyLong_Check(index) ? PyLong_AsLongLongAndOverflow(index, &overflow) : PyNumber_AsSsize_t(index, nullptr);
    if (number == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
        PyErr_Clear();
        count_misuse(self, kBadIndex);
        return true;
    }
    self->index = number;
    self->has_index = overflow == 0;
    if (overflow != 0) count_misuse(self, kBadIndex);
    return true;
}

PyObject* scope_number(PyObject* object, PyObject* index) {
    Scope* self = as_scope(object);
    self->has_index = false;
    if (!set_index(self, index)) return nullptr;
    if (self->open.recorder() == nullptr) Py_RETURN_NONE;
    Frame* frame = self->open.frame;
    frame->index = self->index;
    frame->flags = static_cast<uint8_t>((frame->flags & ~kHasIndex) | (self->has_index ? kHasIndex : 0));
    Py_RETURN_NONE;
}

// The keys, and room for as many values, all null yet. False with an exception set when memory is out.
bool take_keys(Scope* self, PyObject* keys) {
    Py_ssize_t count = PyTuple_GET_SIZE(keys);
    self->values = self->inline_values;
    if (count > kInlineAttrs) {
        self->values = static_cast<PyObject**>(PyMem_Calloc(static_cast<size_t>(count), sizeof(PyObject*)));
        if (self->values == nullptr) return PyErr_NoMemory(), false;
        self->needs_values = true;
    } else {
        std::fill_n(self->inline_values, kInlineAttrs, nullptr);
    }
    self->keys = Py_NewRef(keys);
    return true;
}

// Takes the keywords of the call. False with an exception set when it has to be passed on.
bool set_keywords(Scope* self, PyObject* const* values, PyObject* keywords) {
    if (!take_keys(self, keywords)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i) {
        PyObject* key = PyTuple_GET_ITEM(keywords, i);
        if (is_keyword(key, g_index_parameter) && !self->has_index) {
            if (!set_index(self, values[i])) return false;
        } else if (is_keyword(key, g_name_parameter) && self->name == nullptr) {
            self->name = to_name(values[i]);
            if (self->name == nullptr) return false;
        } else {
            self->values[i] = to_atom(values[i]);
            if (self->values[i] == nullptr) return false;
        }
    }
    return true;
}

bool fill(Scope* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (count > 0) {
        self->name = PyUnicode_CheckExact(args[0]) ? Py_NewRef(args[0]) : to_name(args[0]);
        if (self->name == nullptr) return false;
    }
    if (count > 1 && !set_index(self, args[1])) return false;
    if (count > 2) count_misuse(self, "scope with more than a name and an index");
    if (keywords != nullptr && !set_keywords(self, args + count, keywords)) return false;
    if (self->name == nullptr) {
        count_misuse(self, "scope without a name");
        self->name = PyUnicode_FromString("?");
    }
    return self->name != nullptr;
}

// A fresh scope with the same name, index and attributes: what a decorated function opens at each call.
PyObject* scope_again(PyObject* object, PyObject*) {
    Scope* self = as_scope(object);
    Scope* copy = allocate();
    if (copy == nullptr) return nullptr;
    copy->bound = reinterpret_cast<RecorderObject*>(Py_XNewRef(reinterpret_cast<PyObject*>(self->bound)));
    copy->name = Py_NewRef(self->name);
    copy->index = self->index;
    copy->has_index = self->has_index;
    if (self->keys == nullptr) return reinterpret_cast<PyObject*>(copy);
    if (!take_keys(copy, self->keys)) {
        Py_DECREF(reinterpret_cast<PyObject*>(copy));
        return nullptr;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->keys); ++i) copy->values[i] = Py_XNewRef(self->values[i]);
    return reinterpret_cast<PyObject*>(copy);
}

// What was given in its making by name. A new reference, or null with an exception set.
PyObject* scope_keywords(Scope* self) {
    PyObject* keywords = PyDict_New();
    if (keywords == nullptr) return nullptr;
    PyObject* index = self->has_index ? PyLong_FromLongLong(self->index) : nullptr;
    bool is_set = !self->has_index || (index != nullptr && PyDict_SetItem(keywords, g_index_parameter, index) == 0);
    Py_XDECREF(index);
    for (Py_ssize_t i = 0; is_set && self->keys != nullptr && i < PyTuple_GET_SIZE(self->keys); ++i) {
        if (self->values[i] == nullptr) continue;
        is_set = PyDict_SetItem(keywords, PyTuple_GET_ITEM(self->keys, i), self->values[i]) == 0;
    }
    if (!is_set) Py_CLEAR(keywords);
    return keywords;
}

// For a function with such a scope that is pickled by value, as cloudpickle does it: elsewhere `cirron.scope` makes the
// same one.
PyObject* scope_reduce(PyObject* object, PyObject*) {
    Scope* self = as_scope(object);
    if (self->bound != nullptr) {
        PyErr_SetString(PyExc_TypeError, "a scope of an instance of Cirron cannot be pickled; one of cirron.scope can");
        return nullptr;
    }
    PyObject* functools = PyImport_ImportModule("functools");
    PyObject* cirron = functools == nullptr ? nullptr : PyImport_ImportModule("cirron");
    PyObject* partial = cirron == nullptr ? nullptr : PyObject_GetAttrString(functools, "partial");
    PyObject* make = partial == nullptr ? nullptr : PyObject_GetAttrString(cirron, "scope");
    PyObject* keywords = make == nullptr ? nullptr : scope_keywords(self);
    PyObject* result = nullptr;
    if (keywords != nullptr) {
        PyObject* const given[] = {make, self->name};
        PyObject* makes_it = PyObject_VectorcallDict(partial, given, 2, keywords);
        result = makes_it == nullptr ? nullptr : Py_BuildValue("N()", makes_it);
    }
    for (PyObject* each : {functools, cirron, partial, make, keywords}) Py_XDECREF(each);
    return result;
}

PyObject* scope_repr(PyObject* object) {
    Scope* self = as_scope(object);
    if (!self->has_index) return PyUnicode_FromFormat("<cirron scope %R>", self->name);
    return PyUnicode_FromFormat("<cirron scope %R[%lld]>", self->name, static_cast<long long>(self->index));
}

// ---- __enter__ and __exit__ ---------------------------------------------------------------------------------------

// Read from a scope: the scope itself. Read from the type, as contextlib.ExitStack does: this object, which takes the
// scope as its first argument.
struct WithMethod {
    PyObject ob_base;
    vectorcallfunc call;
};

PyObject* with_method_get(PyObject* self, PyObject* object, PyObject*) {
    return Py_NewRef(object == nullptr ? self : object);
}

PyObject* with_method_call(PyObject*, PyObject* const* args, size_t flags, PyObject* keywords) {
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (count == 0 || !Py_IS_TYPE(args[0], &g_scope_type)) {
        PyErr_SetString(PyExc_TypeError, "expected a scope as the first argument");
        return nullptr;
    }
    return scope_call(args[0], args + 1, static_cast<size_t>(count - 1), keywords);
}

PyTypeObject g_with_method_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native._WithMethod";
    type.tp_basicsize = sizeof(WithMethod);
    type.tp_vectorcall_offset = offsetof(WithMethod, call);
    type.tp_call = PyVectorcall_Call;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL;
    type.tp_descr_get = with_method_get;
    return type;
}();

PyMethodDef g_scope_methods[] = {
    {"__reduce__", scope_reduce, METH_NOARGS, nullptr},
    {"_again", scope_again, METH_NOARGS, nullptr},
    {"_cancel", scope_cancel, METH_NOARGS, nullptr},
    {"_place", scope_place, METH_NOARGS, nullptr},
    {"_rename", scope_rename, METH_O, nullptr},
    {"_number", scope_number, METH_O, nullptr},
    {"_summarize", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(scope_summarize)), METH_FASTCALL,
     nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject g_scope_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Scope";
    type.tp_basicsize = sizeof(Scope);
    type.tp_dealloc = scope_dealloc;
    type.tp_vectorcall_offset = offsetof(Scope, call);
    type.tp_repr = scope_repr;
    type.tp_call = PyVectorcall_Call;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION;
    type.tp_doc = "One with block, or a decorator that opens the same scope at each call.";
    type.tp_methods = g_scope_methods;
    return type;
}();

}  // namespace

bool call_at_begin(Recorder* recorder, OpenFrame& open, PyObject* name) {
    if (recorder->meter() != nullptr && !measure(recorder, open)) return false;
    return g_follower == nullptr || follow(recorder, open, name);
}

bool close_frame(OpenFrame open, PyObject* error) {
    Measures measures;
    bool goes_on = end_calls(open, measures);
    if (Recorder* recorder = open.recorder()) {
        guarded(recorder, "scope exit",
                [&] { recorder->close_measured(open.frame, now_ticks(), failure(error), measures); });
    }
    return goes_on;
}

bool is_keyword(PyObject* key, PyObject* parameter) {
    if (key == parameter) return true;
    return !PyUnicode_CHECK_INTERNED(key) && PyUnicode_Compare(key, parameter) == 0;
}

PyObject* to_name(PyObject* name) {
    PyObject* atom = to_atom(name);
    if (atom == nullptr || PyUnicode_Check(atom)) return atom;
    PyObject* text = PyObject_Str(atom);
    Py_DECREF(atom);
    return text;
}

PyObject* make_scope(RecorderObject* bound, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    Scope* self = allocate();
    if (self == nullptr) return nullptr;
    if (bound == nullptr && count == 1 && keywords == nullptr && PyUnicode_CheckExact(args[0])) [[likely]] {
        self->name = Py_NewRef(args[0]);
        return reinterpret_cast<PyObject*>(self);
    }
    if (bound != nullptr) {
        self->bound = reinterpret_cast<RecorderObject*>(Py_NewRef(reinterpret_cast<PyObject*>(bound)));
    }
    if (!fill(self, args, count, keywords)) {
        Py_DECREF(reinterpret_cast<PyObject*>(self));
        return nullptr;
    }
    return reinterpret_cast<PyObject*>(self);
}

void make_ending_early(PyObject* scope, bool is_epoch) {
    as_scope(scope)->ends_early = true;
    as_scope(scope)->is_epoch = is_epoch;
}

void number_scope(PyObject* scope, int64_t index) {
    as_scope(scope)->index = index;
    as_scope(scope)->has_index = true;
}

bool enter_scope(PyObject* scope, Recorder* recorder) { return enter_in(as_scope(scope), recorder); }

bool leave_scope(PyObject* scope) { return leave(as_scope(scope), Py_None); }

int init_scope_type(PyObject* module) {
    g_name_parameter = PyUnicode_InternFromString("name");
    g_index_parameter = PyUnicode_InternFromString("index");
    if (g_name_parameter == nullptr || g_index_parameter == nullptr) return -1;
    if (PyType_Ready(&g_with_method_type) != 0 || PyType_Ready(&g_scope_type) != 0) return -1;
    for (const char* name : {"__enter__", "__exit__"}) {
        auto* method = PyObject_New(WithMethod, &g_with_method_type);
        if (method == nullptr) return -1;
        method->call = with_method_call;
        if (PyDict_SetItemString(g_scope_type.tp_dict, name, reinterpret_cast<PyObject*>(method)) != 0) return -1;
        Py_DECREF(reinterpret_cast<PyObject*>(method));
    }
    PyType_Modified(&g_scope_type);
    return PyModule_AddObjectRef(module, "Scope", reinterpret_cast<PyObject*>(&g_scope_type));
}

}  // namespace cirron
