# Cross builds with the C compiler of PyPI's ziglang, which brings musl for every target.
# What it is told comes through the environment (tools/wheels.py): CMake reads this file again in
# each of its trial projects, where variables of the command line are not known.
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{SECLATCH_TARGET}")
# The flags are part of the compiler, for CMake's trial programs too: a libc is compiled for every
# other set of them, which takes half a minute.
set(CMAKE_C_COMPILER $ENV{SECLATCH_ZIG} cc -target $ENV{SECLATCH_TARGET} -O2 -fPIE -static -pie -s)
# CMake would take this machine's own, which cannot read other machines' files.
set(CMAKE_STRIP /bin/true)
