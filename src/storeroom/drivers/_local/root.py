"""The folder a disk lives in: opened on first use, made on the first write, then held."""

import os
from collections.abc import Callable

from storeroom.contracts.errors import PermissionDenied
from storeroom.drivers._local.beneath import Tree


class Root:
    """Gives the tree under the root; a root that was deleted is looked up anew.

    A root that was a link from the beginning may lead elsewhere then; a folder has to be one again.
    """

    __slots__ = ("_forgotten", "_is_folder", "_mode", "_opener", "_tree", "path")

    def __init__(self, path: str, mode: int, opener: Callable[[str], Tree]) -> None:
        self.path = path
        self._mode = mode
        self._opener = opener
        self._tree: Tree | None = None
        self._forgotten = False
        self._is_folder = False

    def tree(self) -> Tree:
        """The tree; `FileNotFoundError` while nothing was written yet."""
        tree = self._tree
        if tree is not None and tree.root.is_linked():
            return tree
        tree = self._opener(self.path)
        self._check(tree)
        self._tree = None if self._forgotten else tree
        return tree

    @property
    def current(self) -> Tree | None:
        """The tree if it is open already; it may have been deleted meanwhile."""
        return self._tree

    def forget(self) -> None:
        """Let go of it; what is under way still ends as it would have."""
        self._forgotten = True
        self._tree = None

    def made(self) -> Tree:
        """The tree, its root made where it is missing."""
        try:
            return self.tree()
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        try:
            os.mkdir(self.path, self._mode)
        except FileExistsError:
            return self.tree()
        self._is_folder = True
        tree = self.tree()
        tree.root.chmod(self._mode)
        return tree

    def _check(self, tree: Tree) -> None:
        found = os.lstat(self.path)
        is_folder = (found.st_dev, found.st_ino) == tree.root.identity()
        if self._is_folder and not is_folder:
            raise PermissionDenied("the root was a folder and is a link now, which is not followed")
        self._is_folder = is_folder
