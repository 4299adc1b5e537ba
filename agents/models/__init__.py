"""Language models: the backend protocol, names and files, chat templates, llama.cpp, servers, a scripted double."""
