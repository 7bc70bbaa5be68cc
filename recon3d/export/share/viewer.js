/** The viewer: what is shown, and what buttons, keys and pointers do to it. */

const TOP = 64; // pixels of the title
const FLIGHT_MS = 500;
const INSIDE = 0.6; // share of the cameras in the model's box, from which it is a room

class Viewer {
  constructor(scene, model, renderer) {
    Object.assign(this, { model, renderer });
    this.canvas = renderer.domElement;
    this.dock = document.getElementById("dock");
    this.camera = new THREE.PerspectiveCamera();
    this.orbit = new Orbit(model.points);
    this.ruler = new Ruler(scene.unit);
    this.cameras = new Cameras(scene.cameras, this.orbit.radius, () => this.draw());
    this.inside = this.isRoom();
    this.photo = -1;
    this.surface = model.isColoured ? "colour" : "clay"; // or both, "compare", left and right of:
    this.split = 0.5;
    this.measuring = this.camerasShown = false;
    this.scene = new THREE.Scene();
    this.scene.add(model.scene, this.cameras.group, this.cameras.shown);
    renderer.outputEncoding = THREE.sRGBEncoding;
    const places = this.cameras.all.map((photo) => photo.centre);
    this.whole = new THREE.Sphere().setFromPoints([...model.points, ...places]);
    const side = this.inside ? THREE.FrontSide : THREE.DoubleSide;
    for (const mesh of model.meshes) {
      const box = new THREE.Box3().setFromObject(mesh);
      this.whole.union(box.getBoundingSphere(new THREE.Sphere()));
      for (const look of Object.values(mesh.looks)) look.side = side;
    }
    this.fit();
    this.home();
    listen(this.canvas, this);
    this.controls = new Controls(this);
    addEventListener("resize", () => this.resize());
  }

  /** Whether the photos were taken inside the model: then its walls are seen through from outside. */
  isRoom() {
    const box = percentileBox(this.model.points, 0.02);
    const inside = this.cameras.all.filter((photo) => box.containsPoint(photo.centre));
    return inside.length > INSIDE * this.cameras.all.length;
  }

  fit() {
    const size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.size = size;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(size.width, size.height, false);
    this.orbit.resize(size.width, size.height);
  }

  resize() {
    this.fit();
    this.flight = undefined;
    this.view = this.goal;
    this.draw();
  }

  /** The view that is meant to be shown, once a flight to it has ended. */
  get goal() {
    const photo = this.cameras.all[this.photo];
    return photo ? photo.view(this.size, { top: TOP, bottom: this.dock.offsetHeight + 32 }) : this.orbit.view;
  }

  /** The whole model from the front. */
  home() {
    const elevation = this.inside ? 45 : this.cameras.all.length === 1 ? 8 : 20;
    this.orbit.frame(this.model.points, 0, radians(elevation), TOP);
    this.leavePhoto();
  }

  /** Go back until the cameras are in sight, unless most of them are. */
  seeCameras() {
    const places = this.cameras.all.map((photo) => photo.centre);
    const inSight = places.filter((place) => {
      const { x, y, z } = place.clone().project(this.camera);
      return Math.max(Math.abs(x), Math.abs(y), Math.abs(z)) < 1;
    });
    if (inSight.length > places.length / 2) return;
    const { azimuth, elevation } = this.orbit;
    this.orbit.frame([...this.model.points, ...places], azimuth, elevation, TOP);
    this.fly();
  }

  turn(dx, dy) { this.moveFreely(() => this.orbit.turn(dx, dy)); }
  pan(dx, dy) { this.moveFreely(() => this.orbit.pan(dx, dy)); }
  zoom(factor, x, y) { this.moveFreely(() => this.orbit.zoom(factor, x, y)); }

  /** Move at once; from a photo's place first let go of it. */
  moveFreely(move) {
    if (this.photo >= 0) {
      this.orbit.lookAt(this.pointAhead(), this.view.position);
      this.showPhoto(-1);
    }
    move();
    this.view = this.orbit.view;
    this.flight = undefined;
    this.draw();
  }

  /** Where the middle of the view meets the model, or as far away as the model's middle. */
  pointAhead() {
    const ahead = new THREE.Vector3(0, 0, -1).applyQuaternion(this.view.rotation);
    const [hit] = new THREE.Raycaster(this.view.position, ahead).intersectObjects(this.model.meshes);
    if (hit) return hit.point;
    const distance = this.whole.center.distanceTo(this.view.position);
    return this.view.position.clone().addScaledVector(ahead, distance);
  }

  click(x, y) {
    if (this.measuring) {
      const point = this.surfaceAt(x, y);
      if (point) this.ruler.add(point);
      this.controls.update();
      return this.draw();
    }
    const index = this.photo < 0 ? this.cameras.pick(this.rayAt(x, y)) : -1;
    if (index >= 0) this.lookFrom(index);
  }

  doubleClick(x, y) {
    const point = !this.measuring && this.photo < 0 && this.surfaceAt(x, y);
    if (!point) return;
    this.orbit.lookAt(point, this.view.position);
    this.fly();
  }

  hover(x, y) {
    const isOver = this.photo < 0 && !this.measuring && this.cameras.pick(this.rayAt(x, y)) >= 0;
    this.canvas.classList.toggle("pointing", isOver);
  }

  rayAt(x, y) {
    const place = { x: (2 * x) / this.size.width - 1, y: 1 - (2 * y) / this.size.height };
    const raycaster = new THREE.Raycaster();
    raycaster.setFromCamera(place, this.camera);
    return raycaster;
  }

  surfaceAt(x, y) {
    return this.rayAt(x, y).intersectObjects(this.model.meshes)[0]?.point;
  }

  lookFrom(index) {
    this.showPhoto(index);
    this.fly();
  }

  leavePhoto() {
    this.showPhoto(-1);
    this.fly();
  }

  showPhoto(index) {
    this.photo = index;
    const photo = this.cameras.all[index];
    this.cameras.show(index, photo?.centre.distanceTo(this.whole.center));
    this.controls?.update();
  }

  /** Move to the goal in half a second, or at once for whoever does not like motion. */
  fly() {
    const isStill = !this.view || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.flight = isStill ? undefined : { from: this.view, start: performance.now() };
    if (isStill) this.view = this.goal;
    this.draw();
  }

  /** Draw at the next chance; several wishes are one picture. */
  draw() {
    this.frame ??= requestAnimationFrame((now) => {
      this.frame = undefined;
      if (this.flight) this.advance(now);
      this.view.applyTo(this.camera, this.whole);
      this.render();
      this.ruler.draw(this.camera, this.size);
    });
  }

  advance(now) {
    const share = Math.min(1, Math.max(0, now - this.flight.start) / FLIGHT_MS);
    this.view = this.flight.from.mixed(this.goal, share * share * (3 - 2 * share));
    if (share === 1) this.flight = undefined;
    else this.draw();
  }

  render() {
    const isCompared = this.surface === "compare";
    this.cameras.toggle(this.camerasShown && this.photo < 0);
    this.renderer.setScissorTest(isCompared);
    if (!isCompared) return this.renderAs(this.surface);
    const { width, height } = this.size;
    const left = Math.round(width * this.split);
    this.renderer.setScissor(0, 0, left, height);
    this.renderAs("clay");
    this.renderer.setScissor(left, 0, width - left, height);
    this.renderAs("colour");
  }

  renderAs(look) {
    for (const mesh of this.model.meshes) mesh.material = mesh.looks[look];
    this.renderer.render(this.scene, this.camera);
  }
}
