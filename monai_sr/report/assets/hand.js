// What a hand does on an image, by pointer, wheel or keys, for each page that shows some.

const DRAG_FOLD = 200; // pixels of a drag that make a window e times as wide
const KEY_DRAG = 8; // an arrow key is worth a drag by so many pixels
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const byId = (id) => document.getElementById(id);
const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

/** Centre and width of a window after a drag on an image. */
function draggedWindow({ centre, width }, right, down) {
  // Up is brighter, so that the centre goes down.
  return [centre + (down * width) / DRAG_FOLD, width * Math.exp(right / DRAG_FOLD)];
}

/** Pull the images along by so many pixels of the screen. */
function pull(view, slice, right, down) {
  const [, , across, height] = view.frame(slice);
  view.camera.move((-right * devicePixelRatio) / across, (-down * devicePixelRatio) / height);
}

/**
 * Hand on what happens on a view: `drag(view, right, down)`, `magnify(factor, x, y)`, `turn(slices)`, which says
 * whether there are others, `press(view, key, isLarger)`, which says whether the key is one, `redraw(view)`; and
 * where there are, `touch(view, event)`, which says whether it takes the pointer, and `hover(view, event)`.
 * `shown()` is the slice, if any.
 */
function listen(view, { shown, drag, magnify, turn, press, redraw, touch, hover }) {
  const { canvas } = view;
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!shown() || event.button !== 0) return;
    last = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
    touch?.(view, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!shown()) return;
    if (!last) return hover?.(view, event);
    if (!touch?.(view, event)) drag(view, event.clientX - last[0], event.clientY - last[1]);
    last = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  canvas.addEventListener("wheel", (event) => {
    if (!shown()) return;
    if (event.ctrlKey) magnify(Math.exp(-event.deltaY / 200), ...view.place(event, shown()));
    // Without the focus the wheel scrolls the page, which would else be caught by the images.
    else if (document.activeElement !== canvas || !turn(Math.sign(event.deltaY))) return;
    event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (!shown() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(view, event.key, event.shiftKey)) event.preventDefault();
  });
  new ResizeObserver(() => {
    view.resize();
    if (shown()) redraw(view); // at once: a resized canvas is empty
  }).observe(canvas);
}
