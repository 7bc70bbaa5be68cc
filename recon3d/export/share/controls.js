/** The buttons, sliders and keys around the model; they say what the viewer's state is. */

class Controls {
  constructor(viewer) {
    this.viewer = viewer;
    this.page = document.documentElement;
    this.part = (id) => document.getElementById(id);
    this.surfaces = [...document.querySelectorAll("[data-surface]")];
    this.part("surfaces").hidden = !viewer.model.isColoured;
    this.part("cameras").hidden = viewer.cameras.all.length === 0;
    const on = (id, does) => this.part(id).addEventListener("click", does);
    for (const button of this.surfaces) {
      button.addEventListener("click", () => this.setSurface(button.dataset.surface));
    }
    on("measure", () => this.toggleRuler());
    on("cameras", () => this.toggleCameras());
    on("home", () => viewer.home());
    on("help", () => this.part("keys").showModal());
    on("before", () => this.step(-1));
    on("after", () => this.step(1));
    on("leave", () => viewer.leavePhoto());
    this.part("opacity").addEventListener("input", () => this.blend());
    this.slideSplit();
    addEventListener("keydown", (event) => {
      if (this.press(event)) event.preventDefault();
    });
    this.update();
  }

  setSurface(surface) {
    if (!this.viewer.model.isColoured) return;
    this.viewer.surface = surface;
    this.refresh();
  }

  toggleRuler() {
    this.viewer.measuring = !this.viewer.measuring;
    if (!this.viewer.measuring) this.viewer.ruler.clear();
    this.refresh();
  }

  toggleCameras() {
    this.viewer.camerasShown = !this.viewer.camerasShown;
    if (this.viewer.photo >= 0) this.viewer.leavePhoto();
    if (this.viewer.camerasShown) this.viewer.seeCameras();
    this.refresh();
  }

  /** To the next photo, or the one before. */
  step(by) {
    const count = this.viewer.cameras.all.length;
    this.viewer.lookFrom((this.viewer.photo + by + count) % count);
  }

  blend() {
    this.viewer.cameras.shown.material.opacity = Number(this.part("opacity").value);
    this.viewer.draw();
  }

  refresh() {
    this.update();
    this.viewer.draw();
  }

  /** Show the viewer's state; it stands at the page's root, for its style and for tests. */
  update() {
    const { surface, measuring, camerasShown, photo, ruler, cameras, split } = this.viewer;
    Object.assign(this.page.dataset, { surface, measuring, photo, length: ruler.text });
    for (const button of this.surfaces) {
      button.setAttribute("aria-pressed", button.dataset.surface === surface);
    }
    this.part("measure").setAttribute("aria-pressed", measuring);
    this.part("cameras").setAttribute("aria-pressed", camerasShown || photo >= 0);
    this.part("split").hidden = surface !== "compare";
    this.part("split").style.left = `${100 * split}%`;
    this.part("split").setAttribute("aria-valuenow", Math.round(100 * split));
    this.part("hint").hidden = !measuring;
    const lacksScale = ruler.unit === "metre" ? "" : WORDS.no_scale;
    this.part("hint").textContent =
      ruler.points.length === 2 ? lacksScale : ruler.points.length ? WORDS.one_point : WORDS.no_point;
    this.part("hint").hidden ||= this.part("hint").textContent === "";
    this.part("photo").hidden = photo < 0;
    if (photo < 0) return;
    this.part("name").textContent = cameras.all[photo].name;
    this.part("count").textContent = `${photo + 1} / ${cameras.all.length}`;
    this.part("blend").hidden = !cameras.all[photo].photo;
  }

  /** The line between clay and colour follows the pointer, or the arrow keys. */
  slideSplit() {
    const line = this.part("split");
    const move = (share) => {
      this.viewer.split = Math.max(0.02, Math.min(0.98, share));
      this.refresh();
    };
    line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) move(event.clientX / this.viewer.size.width);
    });
    line.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (!way) return;
      event.stopPropagation();
      move(this.viewer.split + way);
    });
  }

  /** Whether a key means something here. */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.part("keys").open) return false;
    if (event.target.matches("input")) return false;
    const { viewer } = this;
    const inPhoto = viewer.photo >= 0 && !event.shiftKey;
    switch (event.key) {
      case "1": case "2": case "3":
        this.setSurface(["colour", "clay", "compare"][event.key - 1]);
        return true;
      case "m": this.toggleRuler(); return true;
      case "p":
        if (!this.part("cameras").hidden) this.toggleCameras();
        return true;
      case "f": case "Home": viewer.home(); return true;
      case "?": this.part("keys").showModal(); return true;
      case "Escape":
        if (viewer.photo >= 0) viewer.leavePhoto();
        else if (viewer.measuring) this.toggleRuler();
        return true;
      case "ArrowLeft": if (inPhoto) return this.step(-1), true; break;
      case "ArrowRight": if (inPhoto) return this.step(1), true; break;
    }
    return moveByKey(event, viewer);
  }
}
