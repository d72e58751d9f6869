"""Every question the window asks goes through here, so that tests can answer."""

from __future__ import annotations

from PyQt6.QtWidgets import QFileDialog, QMessageBox, QWidget


def pick_folder(parent: QWidget, title: str, start: str = "") -> str:
    """Ask for a folder; empty when the observer changed their mind."""
    return QFileDialog.getExistingDirectory(parent, title, start)


def pick_file(parent: QWidget, title: str, start: str = "", kinds: str = "All files (*)") -> str:
    """Ask for an existing file; empty when the observer changed their mind."""
    return QFileDialog.getOpenFileName(parent, title, start, kinds)[0]


def save_file(parent: QWidget, title: str, start: str = "", kinds: str = "All files (*)") -> str:
    """Ask for the name of a file to write; empty when the observer changed their mind."""
    return QFileDialog.getSaveFileName(parent, title, start, kinds)[0]


def confirm(parent: QWidget, title: str, text: str, action: str) -> bool:
    """Ask before something is lost; the answer that loses nothing has the focus."""
    box = QMessageBox(QMessageBox.Icon.Warning, title, text, QMessageBox.StandardButton.NoButton, parent)
    go_on = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
    stay = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)
    box.exec()
    return box.clickedButton() is go_on


def confirm_stop(parent: QWidget) -> bool:
    """Ask before a running job is stopped by closing the window."""
    return confirm(
        parent,
        "A job is running",
        "A job is running. Stop it and close? Finished files are kept, and the run goes on from there next time.",
        "Stop and close",
    )
