"""The panel: shows both approaches at work, and lets the user drive them."""

from .panel import Panel

__all__ = ["Panel"]
