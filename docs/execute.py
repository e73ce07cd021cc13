"""Executes the tutorial and keeps what its cells show, but for the report, which is large.

After `pip install ipykernel nbclient`: python docs/execute.py
"""

from pathlib import Path

import nbclient
import nbformat

NOTEBOOK = Path(__file__).parent / "tutorial.ipynb"
LARGEST = 10**5  # characters of an output


def main() -> None:
    """Execute it from its first cell on, and write it back."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # Of a bar of text what it was in the end.
    own = {"record_timing": False, "coalesce_streams": True}
    nbclient.NotebookClient(notebook, timeout=600, **own).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind, shown in list(output.get("data", {}).items()):
                if len(shown) > LARGEST:
                    del output.data[kind]
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
