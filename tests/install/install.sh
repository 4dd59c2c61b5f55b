#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs into an empty folder, uses what was installed as a stranger would, and uninstalls. The one
# argument is the part to test; says why and returns 1 when it fails.
B=${B:-build}
CC=${CC:-cc}
unset MAKEFLAGS MAKELEVEL MFLAGS # no job server of a make around this one
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
fail() { echo "install: $*"; exit 1; }
make_() { ${MAKE:-make} -s "$@" B="$B" NO_SETUP=1 >"$root/log" 2>&1 || {
    cat "$root/log"
    fail "make $*"
}; }
strict='-Wall -Wextra -Wpedantic -Wconversion -Werror'

# Nothing but what is meant to be there, and nothing after uninstalling.
lists() {
    make_ install PREFIX=/opt/nm "DESTDIR=$root/stage"
    for path in include/nm/nm.h lib/libnm.so.1 lib/nm/libnm.so lib/nm/libnm.a bin/nmie \
        lib/pkgconfig/nm.pc lib/pkgconfig/nm-static.pc share/doc/nm/README.md; do
        [ -e "$root/stage/opt/nm/$path" ] || fail "$path is missing"
    done
    # Names that NetworkManager's packages own.
    for path in lib/libnm.so lib/libnm.a lib/pkgconfig/libnm.pc include/libnm bin/nm; do
        [ ! -e "$root/stage/opt/nm/$path" ] || fail "$path is NetworkManager's name"
    done
    ! grep -E '^[A-Z].*-lnm' "$root"/stage/opt/nm/lib/pkgconfig/*.pc || fail '-lnm in a .pc file'
    make_ uninstall PREFIX=/opt/nm "DESTDIR=$root/stage"
    left=$(find "$root/stage" ! -type d)
    [ -z "$left" ] || fail "left behind: $left"
    left=$(find "$root/stage/opt/nm" -mindepth 1 -type d -name nm)
    [ -z "$left" ] || fail "left behind: $left"
}

# examples/01_hello.c with pkg-config, shared and static, and the tool, all outside the tree.
programs() {
    make_ install "PREFIX=$root/usr" "LIBDIR=$root/usr/lib/deep"
    PKG_CONFIG_PATH=$root/usr/lib/deep/pkgconfig
    export PKG_CONFIG_PATH
    cp examples/01_hello.c examples/models/*.onnx "$root" 2>/dev/null
    cd "$root" || exit 1
    usr/bin/nmie --version >/dev/null || fail 'the installed nmie does not run'
    readelf -d usr/bin/nmie | grep -E 'R(UN)?PATH' | grep -q '\[\$ORIGIN/../lib/deep\]' ||
        fail 'nmie does not find its library by a relative path'
    # shellcheck disable=SC2046
    $CC 01_hello.c $(pkg-config --cflags --libs nm) -o hello || fail 'hello does not link'
    $CC 01_hello.c $(pkg-config --cflags --libs nm-static) -o hello_static ||
        fail 'hello does not link with the archive'
    readelf -d hello | grep -q 'NEEDED.*\[libnm.so.1\]' || fail 'hello does not need libnm.so.1'
    ! readelf -d hello_static | grep -q libnm || fail 'hello_static needs libnm'
    LD_LIBRARY_PATH=$root/usr/lib/deep
    export LD_LIBRARY_PATH
    for model in *.onnx; do
        [ -e "$model" ] || { echo 'skip: no network in examples/models'; break; }
        ./hello "$model" >shared.txt || fail "hello $model"
        ./hello_static "$model" >static.txt || fail "hello_static $model"
        cut -d, -f1 shared.txt >a && cut -d, -f1 static.txt >b && cmp -s a b ||
            fail "$model: $(cat shared.txt static.txt)"
    done
    if ./hello /no/such/file >out 2>&1; then fail 'hello of no file succeeds'; fi
    grep -q NM_EIO out || fail "hello of no file says: $(cat out)"
}

# The binary interface: name, versioned symbols, libraries needed, nothing executable that is writable.
library() {
    so=$B/libnm.so.1
    readelf -d "$so" | grep -q 'SONAME.*\[libnm.so.1\]' || fail 'SONAME is not libnm.so.1'
    other=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -Ev '^(nm_[a-z0-9_]+@@NM_1\.0|NM_1\.0)$')
    [ -z "$other" ] || fail "exported: $other"
    declared=$(grep -oE '\bnm_[a-z0-9_]+\(' include/nm/nm.h | tr -d '(' | sort -u)
    exported=$(nm -D --defined-only "$so" | awk '$2 == "T" {sub("@.*", "", $3); print $3}' | sort -u)
    for name in $exported; do
        echo "$declared" | grep -qx "$name" || fail "$name is exported but not in nm.h"
    done
    for name in $(sed -n '/NM_API/,/;/p' include/nm/nm.h | grep -oE '\bnm_[a-z0-9_]+\(' | tr -d '('); do
        echo "$exported" | grep -qx "$name" || fail "$name is in nm.h but not exported"
    done
    # Prefixes and macros that NetworkManager uses in its libnm (libnm.so.0).
    theirs='setting|device|ip|client|utils|vpn|connection|tc|object|simple|state|version_info|range'
    ! echo "$exported" | grep -E "^nm_($theirs)(_|\$)" || fail 'a name that NetworkManager may own'
    ! grep -E 'define NM_(API_VERSION|VERSION|M[A-Z]+_VERSION|(CHECK|ENCODE)_VERSION|DEVICE|STATE)\b' \
        include/nm/nm.h || fail 'a macro of NetworkManager'
    for needed in $(readelf -d "$so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'); do
        case $needed in
        libdnnl.so.*|libprotobuf-c.so.1|libgomp.so.1|libomp.so*|libm.so.6|libc.so.6|ld-linux-*) ;;
        *) fail "needs $needed" ;;
        esac
    done
    readelf -lW "$so" | grep GNU_STACK | grep -q ' RW ' || fail 'executable stack'
}

# nm.h alone, in every language it promises.
header() {
    for std in c99 c11; do
        echo '#include <nm/nm.h>' | $CC -std=$std $strict -Iinclude -fsyntax-only -x c - ||
            fail "nm.h under $std"
    done
    for std in c++11 c++17; do
        command -v c++ >/dev/null || { echo 'skip: no C++ compiler'; return; }
        printf '#include <nm/nm.h>\nnm_limits l = NM_LIMITS_INIT;\nnm_load_options o =
            NM_LOAD_OPTIONS_INIT;\nnm_session_options s = NM_SESSION_OPTIONS_INIT;\n' |
            c++ -std=$std $strict -Iinclude -fsyntax-only -x c++ - || fail "nm.h under $std"
    done
    $CC -std=c99 $strict -Iinclude -fsyntax-only examples/01_hello.c || fail '01_hello.c under c99'
    [ "$(wc -l <examples/01_hello.c)" -lt 60 ] || fail '01_hello.c is longer than 60 lines'
    grep -q "^VERSION *:= $(sed -n 's/.*NM_VERSION_STRING "\(.*\)"/\1/p' include/nm/nm.h)\$" Makefile ||
        fail 'nm.h and Makefile have different versions'
}

# Each header of the library compiles alone.
headers_alone() {
    for h in lib/*/*.h kernels/kernel.h; do
        echo "#include \"$h\"" | $CC -std=c11 -D_GNU_SOURCE $strict -Wno-pedantic -I. -Iinclude \
            "-I$B/gen" -fsyntax-only -x c - || fail "$h does not compile alone"
    done
}

"$1"
