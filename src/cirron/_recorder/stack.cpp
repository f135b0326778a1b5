#include "stack.hpp"

#include <algorithm>

#include "types.hpp"

namespace cirron {

namespace {

void stack_dealloc(PyObject* self) {
    auto* stack = reinterpret_cast<Stack*>(self);
    // The frames lie in the recorder's journal, which may be unmapped by now.
    if (find_recorder(stack->recorder) != nullptr) {
        for (uint32_t i = 0; i < stack->depth; ++i) stack->frames[i]->stack = nullptr;
    }
    Py_XDECREF(stack->owner);
    PyObject_Free(self);
}

PyTypeObject g_stack_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native._Stack";
    type.tp_basicsize = sizeof(Stack);
    type.tp_dealloc = stack_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT;
    return type;
}();

}  // namespace

uint64_t Stack::parent_for_epoch() const {
    for (uint32_t i = 0; i < depth; ++i) {
        if (frames[i]->is_epoch) return frames[i]->parent;
    }
    return top_id();
}

bool Stack::owned_by(PyObject* context) const {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* referent = nullptr;
    if (PyWeakref_GetRef(owner, &referent) != 1) return false;
    bool same = referent == context;
    Py_DECREF(referent);
    return same;
#else
    return PyWeakref_GetObject(owner) == context;
#endif
}

void Stack::remove_below_top(Frame* frame) {
    Frame** end = frames + depth;
    Frame** found = std::find(frames, end, frame);
    if (found == end) return;
    std::copy(found + 1, end, found);
    --depth;
}

Stack* new_stack(Registration recorder, uint64_t root_parent) {
    auto* stack = PyObject_New(Stack, &g_stack_type);
    if (stack == nullptr) return nullptr;
    stack->recorder = recorder;
    stack->owner = nullptr;
    stack->root_parent = root_parent;
    stack->depth = 0;
    return stack;
}

bool is_stack(PyObject* object) { return Py_IS_TYPE(object, &g_stack_type); }

int init_stack_type() { return PyType_Ready(&g_stack_type); }

}  // namespace cirron
