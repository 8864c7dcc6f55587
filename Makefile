# Everyday twins over the CMake presets; the binary is build/release/umwelt.
PREFIX ?= /usr/local

.PHONY: all demo test bench install clean
all:
	cmake --preset release -DUW_BUILD_TESTS=ON
	cmake --build build/release

demo:
	./demo.sh

test:
	./test.sh

bench: all
	build/release/umwelt bench

install: all
	cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build
