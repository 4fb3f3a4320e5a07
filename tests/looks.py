"""What a person would see at a glance: nothing scrolls sideways, no words lie on other words. For tests and benchmarks."""

from __future__ import annotations

from typing import Any, Protocol

# Words in the page's own parts, in the reading order; a chart's labels are SVG and placed by assets/lines.js.
_FIND_FAULTS = """
() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`scrolls sideways: ${root.scrollWidth} px in ${root.clientWidth}`);
  const shown = (element) => {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.visibility === 'hidden' || style.display === 'none' || Number(style.opacity) === 0) return false;
      if (at.classList.contains('unseen') || at.hidden) return false;
    }
    return true;
  };
  const clipped = (box, element) => {
    const cut = { left: box.left, right: box.right, top: box.top, bottom: box.bottom };
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
      const outer = at.getBoundingClientRect();
      cut.left = Math.max(cut.left, outer.left); cut.right = Math.min(cut.right, outer.right);
      cut.top = Math.max(cut.top, outer.top); cut.bottom = Math.min(cut.bottom, outer.bottom);
    }
    return cut;
  };
  const layer = (element) => element.closest('[popover], dialog, [role=dialog], .menu, .hover');
  const words = [];
  const walker = document.createTreeWalker(document.getElementById('page') || document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.textContent.trim() || !element || element.closest('svg, script, style, noscript') || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      const box = clipped(rect, element);
      if (box.right - box.left > 1 && box.bottom - box.top > 1) words.push({ text: node.textContent.trim(), element, box });
    }
  }
  for (let i = 0; i < words.length; i++) {
    for (let j = i + 1; j < words.length; j++) {
      const [a, b] = [words[i], words[j]];
      if (a.element === b.element) continue;
      if (layer(a.element) !== layer(b.element)) continue;
      const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (wide > 1.5 && high > 3) faults.push(`"${a.text.slice(0, 30)}" lies on "${b.text.slice(0, 30)}"`);
    }
  }
  for (const { text, box } of words) {
    if (box.right > root.clientWidth + 1) faults.push(`"${text.slice(0, 30)}" is cut off at the right`);
  }
  return [...new Set(faults)];
}
"""


class Evaluates(Protocol):
    """A Playwright page."""

    def evaluate(self, expression: str) -> Any: ...


def faults(page: Evaluates) -> list[str]:
    """What looks broken on this page now, in words; nothing when nothing does."""
    return list(page.evaluate(_FIND_FAULTS))
