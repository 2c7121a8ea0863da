"""The panel: shows both approaches at work, and drives them."""

from .panel import Panel

__all__ = ["Panel"]
