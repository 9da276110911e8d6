"""Languages that have to be compiled or run by a program of their own: files, commands, and what their tests need.

Each test program ends by fetching a word from file descriptor 3 and saying it to 4. So a program that ends early, with
whatever exit status, has not passed.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import NamedTuple

from evaluators.errors import EvaluationError
from evaluators.programs.joined import GO_IMPORT, without_crates
from evaluators.sandbox.ways import is_of_its_own

WORD = 64  # letters of the word


class Program(NamedTuple):
    """Files and commands; what is said of a language goes for all its programs."""

    files: dict[str, bytes]
    steps: list[list[str]]


class Language(NamedTuple):
    """How a language is built and run. `needs` are programs, `example` a function with a test that it passes."""

    needs: tuple[str, ...]
    install: str
    program: Callable[[str, str, Mapping[str, str]], Program]
    example: tuple[str, str]
    defines: str = r"\b{name}\s*\("  # what code has that defines a function of a name
    visible: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


CPP_END = """
#include <unistd.h>
int tests_main();
int main() {
    int wrong = tests_main();
    char word[64];
    long count = read(3, word, sizeof word);
    return wrong || write(4, word, count) != count;
}
"""
# Of HumanEval-X's own program: headers in front of each program in C++, packages that a program in Go uses unasked.
CPP_HEADERS = "".join(
    f"#include <{name}>\n"
    for name in ("stdlib.h", "algorithm", "math.h", "stdio.h", "vector", "string", "climits", "cstring", "iostream")
)
GO_PACKAGES = ("math", "strings", "fmt", "strconv", "time", "bytes", "regexp", "sort", "math/rand", "crypto/md5")
JAVA_END = """
public class Judge {
    public static void main(String[] args) throws Exception {
        Main.main(args);
        try (var in = new java.io.FileInputStream("/dev/fd/3"); var out = new java.io.FileOutputStream("/dev/fd/4")) {
            byte[] word = new byte[64];
            out.write(word, 0, in.read(word));
        }
    }
}
"""
JS_END = """
const fs = require("fs");
console.assert = (right, ...words) => { if (!right) throw new Error("assertion failed " + words.join(" ")); };
require("./solution.js");
const word = Buffer.alloc(64);
fs.writeSync(4, word, 0, fs.readSync(3, word, 0, 64));
"""
# A package of npm with which one solution is written.
JS_MD5 = """
const { createHash } = require("crypto");
module.exports = (text) => createHash("md5").update(text).digest("hex");
"""
GO_ASSERT = """
package assert

import (
	"math"
	"reflect"
)

type T interface{ Errorf(format string, args ...interface{}) }
type Assertions struct{ t T }

func New(t T) *Assertions { return &Assertions{t} }
func (a *Assertions) Equal(want, got interface{}, _ ...interface{}) bool { return Equal(a.t, want, got) }
func (a *Assertions) True(got bool, _ ...interface{}) bool { return Equal(a.t, true, got) }
func (a *Assertions) False(got bool, _ ...interface{}) bool { return Equal(a.t, false, got) }
func (a *Assertions) Nil(got interface{}, _ ...interface{}) bool { return Equal(a.t, nil, got) }
func (a *Assertions) InDelta(want, got float64, delta float64, _ ...interface{}) bool {
	return Equal(a.t, true, math.Abs(want-got) <= delta)
}

func Equal(t T, want, got interface{}, _ ...interface{}) bool {
	if reflect.DeepEqual(want, got) {
		return true
	}
	t.Errorf("wanted %v, got %v", want, got)
	return false
}
"""
GO_END = """
package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 {
		word := make([]byte, 64)
		count, _ := os.NewFile(3, "given").Read(word)
		os.NewFile(4, "said").Write(word[:count])
	}
	os.Exit(status)
}
"""
GO_IMPORTED = re.compile(r'^(?:import)?[ \t(]*([\w.]*)[ \t]*"([^"\n]+)"', re.M)
GO_SILENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`[^`]*`', re.S)  # comments and texts
RUST_END = """
fn main() {
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;
    TESTS
    let mut word = [0u8; 64];
    let count = unsafe { std::fs::File::from_raw_fd(3) }.read(&mut word).unwrap();
    unsafe { std::fs::File::from_raw_fd(4) }.write_all(&word[..count]).unwrap();
}
"""


def cpp(code: str, test: str, found: Mapping[str, str]) -> Program:
    """The model's code and the tests in one file; a main of either is renamed."""
    ending = test.rstrip()
    ending = f"{ending[:-1]}\nreturn 0;\n}}" if ending.endswith("}") else ending
    text = f"{CPP_HEADERS}#define main model_main\n{code}\n#undef main\n#define main tests_main\n{ending}\n"
    files = {"solution.cpp": text.encode(), "judge.cpp": CPP_END.encode()}
    compiled = [found["g++"], "-std=c++17", "-O1", "-w", "-o", "program", "solution.cpp", "judge.cpp"]
    return Program(files, [[*compiled, *(["-lcrypto"] if "openssl/" in text else [])], ["./program"]])


def java(code: str, test: str, found: Mapping[str, str]) -> Program:
    """Solution and Main in files of their own, with the imports of the declaration in both."""
    imports = "\n".join(dict.fromkeys(re.findall(r"^import [^\n]+;", code, re.M)))
    files = {
        "Solution.java": code.encode(),
        "Main.java": f"{imports}\n{test}".encode(),
        "Judge.java": JAVA_END.encode(),
    }
    small = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss64m"]
    compiled = [found["javac"], *(f"-J{word}" for word in ("-Xmx512m", *small)), "-nowarn", *files]
    return Program(files, [compiled, [found["java"], "-Xmx512m", *small, "-cp", ".", "Judge"]])


def javascript(code: str, test: str, found: Mapping[str, str]) -> Program:
    files = {"solution.js": f"{code}\n{test}\n".encode(), "judge.js": JS_END.encode()}
    files["node_modules/js-md5/index.js"] = JS_MD5.encode()
    return Program(files, [[found["node"], "--max-old-space-size=512", "--stack-size=8000", "judge.js"]])


def go(code: str, test: str, found: Mapping[str, str]) -> Program:
    """A package of tests; the library of assertions that they ask for is a small one of ours.

    Go refuses imports that are not used, and those behind other code: the ones that are used are put in front.
    """
    text = f"{code}\n{test}\n"
    imported = [one for found_import in GO_IMPORT.findall(text) for one in GO_IMPORTED.findall(found_import)]
    rest = GO_IMPORT.sub("", re.sub(r"^package [^\n]*$", "", text, flags=re.M))
    text = "package main\n\n" + "".join(go_imports(imported, GO_SILENT.sub("", rest))) + rest
    files = {
        "go.mod": b"module solution\n\ngo 1.18\n\nrequire github.com/stretchr/testify v1.8.0\n\n"
        b"replace github.com/stretchr/testify => ./testify\n",
        "testify/go.mod": b"module github.com/stretchr/testify\n\ngo 1.18\n",
        "testify/assert/assert.go": GO_ASSERT.encode(),
        "solution_test.go": text.encode(),
        "judge_test.go": GO_END.encode(),
        ".tmp/.keep": b"",
    }
    return Program(files, [[found["go"], "test", "-c", "-vet=off", "-o", "program", "."], ["./program"]])


def go_imports(imported: Sequence[tuple[str, str]], rest: str) -> list[str]:
    """Imports, of which each has a name of its own or "", that the rest of a program uses, and what it uses unasked."""
    known = {alias or path.rpartition("/")[2] for alias, path in imported}
    unasked = [("", path) for path in GO_PACKAGES if path.rpartition("/")[2] not in known]
    used = [
        (alias, path)
        for alias, path in dict.fromkeys([*imported, *unasked])
        if alias in (".", "_") or re.search(rf"\b{re.escape(alias or path.rpartition('/')[2])}\.[A-Z]", rest)
    ]
    return [f'import {alias} "{path}"\n' for alias, path in used]


def rust(code: str, test: str, found: Mapping[str, str]) -> Program:
    """Functions with #[test] are called by a main of ours."""
    plain = re.sub(r"#\[cfg\(test\)\]", "", test)
    tests = re.findall(r"#\[test\]\s*(?:pub\s+)?fn\s+(\w+)", plain)
    module = re.search(r"\bmod\s+(\w+)\s*\{", plain)
    plain = re.sub(r"#\[test\]\s*(?:pub\s+)?fn", "pub fn", plain)
    calls = "\n".join(f"{module.group(1)}::{name}();" if module else f"{name}();" for name in tests)
    own = without_crates(re.sub(r"\bfn\s+main\s*\(", "fn model_main(", code))
    files = {"solution.rs": f"{own}\n{plain}\n{RUST_END.replace('TESTS', calls)}".encode()}
    linker = ["-C", f"linker={found['cc']}"]
    return Program(files, [[found["rustc"], "--edition", "2021", "-A", "warnings", *linker, "-o", "program",
                            "solution.rs"], ["./program"]])  # fmt: skip


LANGUAGES: dict[str, Language] = {
    "cpp": Language(
        needs=("g++",),
        install="g++ (the package g++)",
        program=cpp,
        example=("int twice(int x) { return 2 * x; }", "#include <cassert>\nint main() { assert(twice(2) == 4); }"),
    ),
    "java": Language(
        needs=("javac", "java"),
        install="a Java development kit (the package default-jdk-headless)",
        program=java,
        example=(
            "class Solution { int twice(int x) { return 2 * x; } }",
            "public class Main { public static void main(String[] args) { if (new Solution().twice(2) != 4) throw new "
            "AssertionError(); } }",
        ),
        visible=tuple(sorted(glob("/etc/java-*"))),  # noqa: PTH207
    ),
    "js": Language(
        needs=("node",),
        install="Node.js (the package nodejs)",
        program=javascript,
        example=("const twice = (x) => 2 * x;", "console.assert(twice(2) === 4)"),
        defines=r"\b(?:const|let|var|function)\s+{name}\b",
    ),
    "go": Language(
        needs=("go",),
        install="Go (the package golang-go)",
        program=go,
        example=(
            'package main\n\nimport (\n"testing"\n"github.com/stretchr/testify/assert"\n)\n'
            "func Twice(x int) int { return 2 * x }",
            "func TestTwice(t *testing.T) { assert.New(t).Equal(4, Twice(2)) }",
        ),
        defines=r"\bfunc\s+{name}\s*\(",
        environment={
            "TMPDIR": "/scratch/.tmp",  # go.mod is not read in the folder of temporary files itself
            "GOCACHE": "/scratch/.cache",
            "GOPATH": "/scratch/.go",
            "GOFLAGS": "-mod=mod",
            "GOPROXY": "off",
            "GONOSUMDB": "*",
            "CGO_ENABLED": "0",
        },
    ),
    "rust": Language(
        needs=("rustc", "cc"),
        install="Rust (the package rustc)",
        program=rust,
        example=(
            "fn twice(x: i32) -> i32 { 2 * x }",
            "mod tests { use super::*; #[test] fn test_twice() { assert_eq!(twice(2), 4); } }",
        ),
        defines=r"\bfn\s+{name}\b",
    ),
}


@lru_cache
def compilers(name: str) -> dict[str, str]:
    """Paths of the programs that a language needs; raises EvaluationError that names what to install."""
    language = LANGUAGES[name]
    found = {need: shutil.which(need) for need in language.needs}
    missing = [need for need, path in found.items() if path is None]
    if missing:
        raise EvaluationError(f"{' and '.join(missing)} not found, which {name} needs; install {language.install}")
    there = {need: str(path) for need, path in found.items()}
    return rust_itself(there) if name == "rust" else there


def rust_itself(found: Mapping[str, str]) -> dict[str, str]:
    """The compiler behind rustup's stand-in, which needs the home directory."""
    asked = subprocess.run([found["rustc"], "--print", "sysroot"], capture_output=True, text=True, check=False)
    own = Path(asked.stdout.strip() or "/nonexistent") / "bin" / "rustc"
    return {**found, "rustc": str(own)} if own.exists() else dict(found)


def folders(found: Mapping[str, str]) -> list[str]:
    """Where compilers are that are not among the system's own: their program and all that stands beside it."""
    real = [Path(path).resolve() for path in found.values()]
    own = [path for path in real if not path.is_relative_to("/usr")]
    return [
        str(path.parents[1] if len(path.parts) > 3 and is_of_its_own(str(path.parents[1])) else path) for path in own
    ]
