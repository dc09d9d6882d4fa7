"""What `import x` in a program means: a file of the program's own folder first, then what Python has.

Owns the modules made from files in programs' folders, for one run (`ProgramModules`). Does not own what a
program is (program.py), nor modules that are found along `sys.path`.

Mechanism. Each folder of a run is a package of its own in `sys.modules` (`qnetem_programs`; a second one
`qnetem_programs_2`), whose path is that folder, and each file a submodule of it. Relative and circular
imports, packages, import locks, pickles and everything that looks up `sys.modules[cls.__module__]` then
work as in any package, and nothing is put on `sys.path`. What is left is the absolute name: these modules
are executed with builtins of their own, whose `__import__` puts the package before each name that the folder
has. So the caller is told by its builtins, in functions and `exec` too, and other code is not concerned.

Rules. The folder comes before installed modules and the standard library, as a script's does, without the
exceptions that depend on how an interpreter was built; only `NEVER` is never taken from it. A folder without
`__init__.py` is a package only where nothing else has its name. Nothing depends on the working directory.
Two runs share no module, whatever their threads do; the first of them has the plain name, in every mode.

Limit: a library that imports by a name it is given as text does not look into the folder.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import importlib.util
import itertools
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_PACKAGE = "qnetem_programs"
#: Never taken from a program's folder: what programs are written with, and the interpreter itself.
NEVER = frozenset(("qnetem", "sys", "builtins", "__future__"))
#: The folders of the runs under way, by the name of their package.
_folders: dict[str, _Folder] = {}


#: Code that was compiled before processes were forked from this one, by the path of a file and its content.
_compiled: dict[tuple[str, bytes], CodeType] = {}


def compile_ahead(files: Iterable[str]) -> None:
    """Compile these program files once for all processes that will be forked from this one.

    What cannot be compiled, or not without a warning, is left to each of them, which says so.
    """
    for path in files:
        with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError, Warning):
            data = Path(path).read_bytes()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                _compiled[path, data] = _ProgramLoader("", path).compiled(data, path)


class ProgramModules:
    """The modules made from program files and their neighbours, for one run; `close` forgets them."""

    def __init__(self) -> None:
        self._own: dict[Path, _Folder] = {}

    def load(self, path: Path) -> ModuleType:
        """The module of a program file (resolved), imported once. Raises whatever the file raises."""
        folder = self._own.get(path.parent)
        if folder is None:
            _install()
            folder = self._own[path.parent] = _Folder(path.parent)
        return folder.load(path)

    def files(self) -> list[Path]:
        """The files that have been imported from programs' folders so far, sorted."""
        return sorted(path for folder in self._own.values() for path in folder.files())

    def close(self) -> None:
        """Forget all of them; may be called again."""
        for folder in self._own.values():
            folder.close()
        self._own.clear()

    def __enter__(self) -> ProgramModules:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Folder:
    """A folder as a package. `builtins`: those of the modules in it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.name = self._claimed()
        self.builtins = {**vars(builtins), "__import__": self.import_}
        self._has: dict[str, bool] = {}
        _folders[self.name] = self

    def _claimed(self) -> str:
        """The first free name; `setdefault` decides between threads."""
        for number in itertools.count(1):
            name = _PACKAGE if number == 1 else f"{_PACKAGE}_{number}"
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [self.path]
            package = importlib.util.module_from_spec(spec)
            if sys.modules.setdefault(name, package) is package:
                break
        return name

    def load(self, path: Path) -> ModuleType:
        """The module of a file in this folder."""
        name = f"{self.name}.{path.stem.replace('.', '_')}"
        found = _Finder.find_spec(name, [self.path])
        if found is not None and found.origin == str(path):
            return _python_import_module(name)
        name = f"{name} (file)"  # it has a name that no `import` can say, or that a package has too
        if name not in sys.modules:
            spec = ModuleSpec(name, _ProgramLoader(name, str(path)), origin=str(path))
            spec.has_location = True
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                _loader(spec).exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]

    def import_(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`__import__` of the modules in this folder."""
        top = name.partition(".")[0]
        if level or not self.has(top):
            return _python_import(name, globals, locals, fromlist or (), level)
        module = _python_import(f"{self.name}.{name}", globals, locals, fromlist or ("",), 0)
        return module if fromlist else sys.modules[f"{self.name}.{top}"]

    def has(self, top: str) -> bool:
        """Whether this name, the part before the first dot, is of this folder."""
        known = self._has.get(top)
        if known is None:
            known = self._has[top] = self._finds(top)
        return known

    def _finds(self, top: str) -> bool:
        if not top or top in NEVER or top in _folders:
            return False
        spec = _Finder.find_spec(f"{self.name}.{top}", [self.path])
        if spec is None:
            return False
        return spec.loader is not None or not _is_module_elsewhere(top)

    def files(self) -> list[Path]:
        """The files of its modules."""
        below = f"{self.name}."
        modules = [module for name, module in sys.modules.items() if name.startswith(below)]
        return [Path(file) for each in modules if (file := getattr(each, "__file__", None))]

    def close(self) -> None:
        """Forget its modules; the name is free again."""
        below = f"{self.name}."
        for name in [each for each in list(sys.modules) if each.startswith(below)]:
            del sys.modules[name]
        _folders.pop(self.name, None)
        sys.modules.pop(self.name, None)


class _ProgramLoader(SourceFileLoader):
    """Executes a file with the builtins of its folder.

    It is compiled anew in each run: a constant set that comes from a `.pyc` may iterate in another order than
    the same set fresh from the source, so that a run would depend on whether there had been one before. And
    twice: a constant set is made in yet another order where its words have been met by this process before.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        data = self.get_data(path)
        return _compiled.get((path, data)) or self.compiled(data, path)

    def compiled(self, data: bytes, path: str) -> CodeType:
        """The code of a file."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            met: CodeType = self.source_to_code(data, path)
        code: CodeType = self.source_to_code(data, path)
        del met  # only now: its words were there until the second time
        return code

    def exec_module(self, module: ModuleType) -> None:
        folder = _folders[module.__name__.partition(".")[0]]
        module.__dict__["__builtins__"] = folder.builtins
        super().exec_module(module)


class _Finder:
    """Finds the submodules of our packages, on `sys.meta_path`. Keeps no cache: files come and go."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As of `importlib.abc.MetaPathFinder`; None for everything that is not ours."""
        if path is None or name.partition(".")[0] not in _folders:
            return None
        for folder in path:
            spec = FileFinder(folder, *_LOADERS).find_spec(name)
            if spec is not None:
                return spec
        return None


_LOADERS: list[tuple[Any, list[str]]] = [
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_ProgramLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
]


def plainly(text: str) -> str:
    """A text without the names of our packages, as the author of a program wrote it."""
    for name in sorted(_folders, key=len, reverse=True):
        text = text.replace(f"{name}.", "")
    return text.replace(" (file)", "")


def _loader(spec: ModuleSpec) -> Any:
    return spec.loader


def _is_module_elsewhere(top: str) -> bool:
    """Whether `sys.path` leads to a module of this name that is more than a bare folder."""
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module that was made by hand
        return True
    return spec is not None and (spec.origin is not None or not spec.submodule_search_locations)


_python_import = builtins.__import__
_python_import_module = importlib.import_module


class _Installed:
    done = False


def _install() -> None:
    """Have our packages found, and the functions that take a name as text ask the caller's folder."""
    if _Installed.done:
        return
    _Installed.done = True
    sys.meta_path.insert(0, _Finder)
    importlib.import_module = _for_caller(importlib.import_module)
    importlib.util.find_spec = _for_caller(importlib.util.find_spec)


def _for_caller(plain: Any) -> Any:
    @functools.wraps(plain)
    def resolved(name: str, package: str | None = None) -> Any:
        asking = sys._getframe(1).f_builtins.get("__import__")
        folder = getattr(asking, "__self__", None)
        if isinstance(folder, _Folder) and folder.has(name.partition(".")[0]):
            name = f"{folder.name}.{name}"
        return plain(name, package)

    return resolved
