"""How an answer in a compiled language is put together with what its task declares: imports, helpers, the class."""

import re

from evaluators.errors import EvaluationError

GO_IMPORT = re.compile(r'^import\s*(?:\([^)]*\)|[\w.]*\s*"[^"\n]*")', re.M)
RUST_CRATES = ("rand", "regex", "md5")  # that the program of HumanEval-X's authors offers
# A line with which a function begins, and its name.
DEFINED = {
    "cpp": re.compile(r"(?!return\b|else\b|using\b)[A-Za-z_][\w:<>,&* ]*[ &*>](\w+)\s*\([^;]*$"),
    "java": re.compile(r"\s+(?:public|private|static)\b[\w<>\[\],.? ]* (\w+)\s*\("),
    "js": re.compile(r"(?:const|let|var|function)\s+(\w+)\s*(?:\(|=.*(?:=>|\bfunction\b))"),
    "go": re.compile(r"func\s+(\w+)\s*\("),
    "rust": re.compile(r"(?:pub )?fn\s+(?!main\b)(\w+)"),
}


def without_crates(code: str) -> str:
    """A program without its crates that it names and does not use; raises EvaluationError for one that is used."""
    for crate in RUST_CRATES:
        asked = re.findall(rf"^[ \t]*(?:pub )?use {crate}\b(?:::(\w+))?[^;\n]*;", code, re.M)
        left = re.sub(rf"^[ \t]*(?:pub )?use {crate}\b[^;\n]*;", "", code, flags=re.M)
        if asked and re.search(rf"\b(?:{crate}\s*::|(?:{'|'.join(filter(None, asked)) or crate})\s*(?:::|\())", left):
            raise EvaluationError(
                f"the program uses the crate {crate}, which HumanEval-X offers and this sandbox has not; leave such "
                "samples out, or score them with the program of the data set's authors"
            )
        code = left
    return code


def called_in(declaration: str) -> str:
    """Name of the function that a declaration declares, which is its last one."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", declaration, flags=re.S)
    named = re.findall(r"\b(?:const|let|var|function|func|fn)\s+(\w+)", text) or re.findall(r"(\w+)\s*\(", text)
    return named[-1] if named else ""


def helpers(declaration: str, language: str, code: str) -> str:
    """Functions that a declaration defines in front of the one that is asked for, where the code lacks one of them."""
    lines = declaration.rstrip().split("\n")
    last = max((at for at, line in enumerate(lines) if DEFINED[language].match(line)), default=0)
    first = next((at for at, line in enumerate(lines) if DEFINED[language].match(line)), last)
    names = [found.group(1) for line in lines[first:last] if (found := DEFINED[language].match(line))]
    there = {found.group(1) for line in code.split("\n") if (found := DEFINED[language].match(line[:1000]))}
    return "\n".join(lines[first:last]) if set(names) - there else ""


def imports(declaration: str, language: str) -> list[str]:
    """What stands in a declaration above the function: includes, imports, `using`."""
    patterns = {
        "cpp": r"^(?:#include[^\n]*|using [^\n]*;|#define[^\n]*)$",
        "java": r"^import [^\n]*;$",
        "rust": r"^use [^\n]*;$",
    }
    if language == "go":
        return GO_IMPORT.findall(declaration)
    return re.findall(patterns[language], declaration, re.M) if language in patterns else []


def whole(name: str, declaration: str, code: str) -> str:
    """A model's whole code with what its declaration imports, and in Java within the class that the tests want."""
    if name == "java" and not re.search(r"\bclass\s+Solution\b", code):
        own = "\n".join(re.findall(r"^import [^\n]*;$", code, re.M))
        inside = re.sub(r"^(?:import|package) [^\n]*;$", "", code, flags=re.M)
        code = f"{own}\nclass Solution {{\n{inside}\n}}"
    if name == "java":
        code = re.sub(r"^package [^\n]*;$", "", code, flags=re.M)
        code = re.sub(r"\bMain\b", "ModelMain", code)  # the tests are in a class of that name
        code = re.sub(
            r"^public\s+((?:final\s+)?(?:class|interface|enum|record)\s+(?!Solution\b))", r"\1", code, flags=re.M
        )
    given = helpers(declaration, name, code)
    if name == "java" and given:
        code = re.sub(r"\bclass\s+Solution\b[^{]*\{", lambda found: f"{found.group()}\n{given}", code, count=1)
        given = ""
    above = [line for line in imports(declaration, name) if name == "go" or line not in code]
    if name == "rust":  # behind a star, so that the code may name the same things once more
        offered = "\n".join(
            f"pub {line}" for line in above if not re.match(rf"use (?:{'|'.join(RUST_CRATES)})\b", line)
        )
        crates = [line for line in above if f"pub {line}" not in offered]
        above = [f"mod offered {{\n{offered}\n}}\nuse offered::*;", *crates]
    return "\n".join([*above, given, code])
