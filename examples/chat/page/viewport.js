// Some browsers show the keyboard over the page without resizing it. This module sets
// the height that is left, so that the field stays visible.

const view = window.visualViewport;

function fit() {
  if (!view || view.scale > 1) return; // zoomed in: the layout stays
  const covered = innerHeight - view.height > 1;
  document.body.style.height = covered ? `${view.height}px` : "";
  if (covered) scrollTo(0, 0);
}

view?.addEventListener("resize", fit);
view?.addEventListener("scroll", fit);
