"""Builds the Cython modules of perfcore_ext; everything else about the project is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
JOBS = os.cpu_count() or 1
# Folders without Python: to setuptools they are packages too.
CONFIGS = [f"perfcore.configs.{path.name}" for path in sorted(Path("configs").iterdir()) if path.is_dir()]
DATA = ["perfcore.configs", *CONFIGS, "perfcore.report.page"]

extensions = [
    Extension(f"perfcore_ext.{source.stem}", [source.as_posix()], extra_compile_args=["-O3"], libraries=["dl"])
    for source in sorted(Path("perfcore_ext").glob("*.pyx"))
]

setup(
    packages=[*find_packages(include=["perfcore*", "perfcore_ext", "evaluators*"]), *DATA],
    package_dir={"perfcore.configs": "configs"},
    package_data={
        **{name: ["*.toml"] for name in CONFIGS},
        "perfcore.report.page": ["*"],
        "perfcore_ext": ["*.pyx", "*.pxd", "*.pyi", "py.typed"],
    },
    exclude_package_data={"perfcore_ext": ["*.c"]},
    ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES, nthreads=JOBS),
    options={"build_ext": {"parallel": JOBS}},
)
