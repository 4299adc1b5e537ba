"""Language models: the backend protocol, names and files, chat templates, llama.cpp, servers, a scripted double.

Imports errors and the sandbox of templates. All the rest of agents imports it, and evolution for models that propose.
"""
