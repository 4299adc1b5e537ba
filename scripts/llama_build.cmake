# Read by CMake at llama-cpp-python's project() call. Its CMakeLists forces the cache entry LLAMA_BUILD_COMMON on; a normal
# variable shadows it, and the package then builds libllama and ggml alone, which is all that its Python code loads.
set(LLAMA_BUILD_COMMON OFF)
