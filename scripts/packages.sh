# Sourced by demo.sh and test.sh: install the Debian packages that are missing.
#
#   need_packages PACKAGE...   as root or through sudo; else print the one line to run and stop with exit 3

umwelt_build_packages="gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libzstd-dev libxxhash-dev \
zlib1g-dev libpng-dev libjpeg62-turbo-dev libgif-dev libyaml-dev libmicrohttpd-dev libhdf5-dev libblosc-dev libdeflate-dev librandom123-dev libchipmunk-dev"
umwelt_test_packages="libcmocka-dev python3 python3-numpy python3-cffi python3-pytest chromium mandoc"
# Beside ours, of another architecture (dpkg --add-architecture arm64): cmake --preset neon.
umwelt_arm64_packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libjansson-dev:arm64 libxxhash-dev:arm64 zlib1g-dev:arm64 \
libcmocka-dev:arm64"

need_packages() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && return 0

    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
        as_root="sudo"
    else
        echo "umwelt needs these Debian packages; run this line as root, then start again:" >&2
        echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
        exit 3
    fi
    echo "installing:$missing" >&2
    $as_root apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        { echo "umwelt: apt-get could not install:$missing" >&2; exit 3; }
}
