// A library with the symbols of the CUDA driver that launches nothing: it hands every kernel to a
// function of the test. Variables of the environment make single calls fail.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

constexpr int kInvalidImage = 200, kNotFound = 500, kNoDevice = 100;

struct FakeModule {
  std::string image;
};
struct FakeFunction {
  std::string name;
};

using Hook = void (*)(const char* kernel, unsigned blocks, unsigned threads, void* stream,
                      const void* args);
Hook hook = nullptr;
int depth = 0;
std::map<std::string, FakeFunction>* functions = new std::map<std::string, FakeFunction>;

int Setting(const char* name, int fallback) {
  const char* const text = std::getenv(name);
  return text == nullptr ? fallback : std::atoi(text);
}

}  // namespace

extern "C" {

void fake_driver_set_hook(Hook value) { hook = value; }
int fake_driver_context_depth() { return depth; }

int cuInit(unsigned) { return Setting("FAKE_NO_DEVICE", 0) != 0 ? kNoDevice : 0; }

int cuGetErrorName(int result, const char** name) {
  *name = result == kNoDevice       ? "CUDA_ERROR_NO_DEVICE"
          : result == kInvalidImage ? "CUDA_ERROR_INVALID_IMAGE"
                                    : "CUDA_ERROR_NOT_FOUND";
  return 0;
}

int cuGetErrorString(int result, const char** text) {
  *text = result == kNoDevice       ? "no CUDA-capable device is detected"
          : result == kInvalidImage ? "device kernel image is invalid"
                                    : "named symbol not found";
  return 0;
}

int cuDeviceGetCount(int* count) {
  *count = Setting("FAKE_DEVICES", 1);
  return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? Setting("FAKE_MAJOR", 9) : Setting("FAKE_MINOR", 0);
  return 0;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
  static int primary;
  *context = &primary;
  return 0;
}

int cuCtxPushCurrent_v2(void*) { return ++depth, 0; }
int cuCtxPopCurrent_v2(void**) { return --depth, 0; }

int cuModuleLoadData(void** module, const void* image) {
  const char* const text = static_cast<const char*>(image);
  if (std::strstr(text, "refused") != nullptr) return kInvalidImage;
  *module = new FakeModule{text};
  return 0;
}

int cuModuleUnload(void* module) {
  delete static_cast<FakeModule*>(module);
  return 0;
}

// A kernel is there when the image mentions its name.
int cuModuleGetFunction(void** function, void* module, const char* name) {
  const std::string& image = static_cast<FakeModule*>(module)->image;
  if (image.find(name + std::string("(")) == std::string::npos) return kNotFound;
  FakeFunction& known = (*functions)[image + name];
  known.name = name;
  *function = &known;
  return 0;
}

int cuLaunchKernel(void* function, unsigned grid_x, unsigned, unsigned, unsigned block_x, unsigned,
                   unsigned, unsigned, void* stream, void** parameters, void**) {
  hook(static_cast<FakeFunction*>(function)->name.c_str(), grid_x, block_x, stream, parameters[0]);
  return 0;
}

}  // extern "C"
