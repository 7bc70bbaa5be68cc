/** Mouse, touch and keys on the canvas, told as what they mean. */

const STILL = 5; // pixels that a finger may slip in a click
const KEY_PIXELS = 40;

/** `does` has turn, pan (pixels), zoom (factor, pixels from the middle), click and doubleClick. */
function listen(canvas, does) {
  const pointers = new Map();
  let travelled = 0;

  const fromMiddle = (x, y) => [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2];

  canvas.addEventListener("pointerdown", (event) => {
    if (pointers.size === 0) travelled = 0;
    else travelled = Infinity; // two fingers never click
    pointers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  });

  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return does.hover(event.clientX, event.clientY);
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    travelled += Math.hypot(dx, dy);
    if (travelled < STILL) return;
    if (pointers.size === 2) {
      const [other] = [...pointers.values()].filter((each) => each.pointerId !== event.pointerId);
      const spread = (one) => Math.max(10, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
      const middle = fromMiddle((event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
      does.pan(dx / 2, dy / 2);
      does.zoom(spread(last) / spread(event), ...middle);
    } else if (pointers.size === 1) {
      const pans = event.shiftKey || event.buttons & 6; // the right or the middle button
      if (pans) does.pan(dx, dy);
      else does.turn(dx, dy);
    }
    pointers.set(event.pointerId, event);
  });

  canvas.addEventListener("pointerup", (event) => {
    if (pointers.delete(event.pointerId) && travelled < STILL && event.button === 0) {
      does.click(event.clientX, event.clientY);
    }
  });
  canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("dblclick", (event) => does.doubleClick(event.clientX, event.clientY));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    // Lines and pages of some mice, as pixels; pinching on a touchpad comes as a fine wheel.
    const pixels = event.deltaY * [1, 16, 100][event.deltaMode] * (event.ctrlKey ? 8 : 1);
    const bounded = Math.max(-200, Math.min(200, pixels));
    does.zoom(Math.exp(bounded / 600), ...fromMiddle(event.clientX, event.clientY));
  }, { passive: false });
}

/** Keys that move the view; returns whether it was one. */
function moveByKey(event, does) {
  const ways = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  if (event.key in ways) {
    const way = ways[event.key].map((step) => step * KEY_PIXELS);
    if (event.shiftKey) does.pan(...way);
    else does.turn(...way);
  } else if (event.key === "+" || event.key === "=") does.zoom(0.8, 0, 0);
  else if (event.key === "-") does.zoom(1.25, 0, 0);
  else return false;
  return true;
}
