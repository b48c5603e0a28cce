// Some browsers lay the keyboard over the page without telling the style sheet. What
// is left of the height is told here, so that the field stays in sight.

const view = window.visualViewport;

function fit() {
  if (!view || view.scale > 1) return; // enlarged by two fingers: the page stays as it is
  const covered = innerHeight - view.height > 1;
  document.body.style.height = covered ? `${view.height}px` : "";
  if (covered) scrollTo(0, 0);
}

view?.addEventListener("resize", fit);
view?.addEventListener("scroll", fit);
