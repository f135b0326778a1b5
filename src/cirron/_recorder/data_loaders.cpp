// What batches are waited for from, told without importing any of it.
#include <algorithm>
#include <iterator>

#include "python.hpp"

namespace cirron {

namespace {

struct Loader {
    const char* module;
    const char* type;
};
constexpr Loader kLoaders[] = {
    {"torch.utils.data", "DataLoader"},
    {"torch.utils.data.dataloader", "_BaseDataLoaderIter"},
    {"tensorflow.python.data.ops.dataset_ops", "DatasetV2"},
    {"tensorflow.python.data.ops.iterator_ops", "OwnedIterator"},
};
constexpr Loader kProgressBar{"tqdm.std", "tqdm"};

bool is_of(PyObject* object, const Loader& loader) {
    PyObject* module_name = PyUnicode_FromString(loader.module);
    PyObject* module = module_name == nullptr ? nullptr : PyImport_GetModule(module_name);
    PyObject* type = module == nullptr ? nullptr : PyObject_GetAttrString(module, loader.type);
    int is_loader = type == nullptr ? 0 : PyObject_IsInstance(object, type);
    Py_XDECREF(type);
    Py_XDECREF(module);
    Py_XDECREF(module_name);
    if (PyErr_Occurred()) PyErr_Clear();
    return is_loader == 1;
}

bool is_data_loader(PyObject* iterable) {
    return std::any_of(std::begin(kLoaders), std::end(kLoaders),
                       [&](const Loader& loader) { return is_of(iterable, loader); });
}

}  // namespace

bool waits_for_data(PyObject* iterable) {
    if (!is_of(iterable, kProgressBar)) return is_data_loader(iterable);
    PyObject* behind = PyObject_GetAttrString(iterable, "iterable");
    bool is_loader = behind != nullptr && is_data_loader(behind);
    Py_XDECREF(behind);
    if (PyErr_Occurred()) PyErr_Clear();
    return is_loader;
}

}  // namespace cirron
