/** Where the photos were taken: small pictures in space, each a place to look from. */

const LINES = "#2f6fde";

class Cameras {
  /** told = the page's list: name, size, focal lengths, principal point, cam_from_model, photo. */
  constructor(told, radius, changed) {
    this.group = new THREE.Group();
    this.group.visible = false;
    this.all = told.map((each) => new PlacedPhoto(each));
    this.depth = this.sizeOfMarks(radius);
    this.changed = changed;
    this.shown = new THREE.Mesh(
      new THREE.BufferGeometry(),
      new THREE.MeshBasicMaterial({ transparent: true, depthTest: false, side: THREE.DoubleSide }),
    );
    this.shown.visible = false;
    this.shown.renderOrder = 1;
  }

  /** Show or hide them all; they are made when they are first shown. */
  toggle(visible) {
    if (visible && this.group.children.length === 0) this.build();
    this.group.visible = visible;
  }

  build() {
    const color = new THREE.Color(LINES).convertSRGBToLinear();
    const lines = this.all.flatMap((photo) => photo.outline(this.depth));
    const material = new THREE.LineBasicMaterial({ color });
    this.group.add(new THREE.LineSegments(new THREE.BufferGeometry().setFromPoints(lines), material));
    this.marks = this.all.map((photo, index) => {
      const mark = new THREE.Mesh(photo.quad(this.depth), new THREE.MeshBasicMaterial({
        color, transparent: true, opacity: 0.25, side: THREE.DoubleSide,
      }));
      mark.userData.index = index;
      photo.texture(this.changed, (map) => {
        mark.material = new THREE.MeshBasicMaterial({ map, side: THREE.DoubleSide });
      });
      return mark;
    });
    this.group.add(...this.marks);
  }

  /** The index of the camera that a ray meets first, or -1. */
  pick(raycaster) {
    if (!this.group.visible) return -1;
    const [hit] = raycaster.intersectObjects(this.marks);
    return hit ? hit.object.userData.index : -1;
  }

  /** Lay a photo over the model, as its camera sees it from `distance`; -1 takes it away. */
  show(index, distance) {
    this.shown.visible = false;
    this.wanted = index;
    const photo = this.all[index];
    photo?.texture(this.changed, (map) => {
      if (this.wanted !== index) return; // another one was asked for while this was decoded
      this.shown.geometry.dispose();
      this.shown.geometry = photo.quad(distance);
      this.shown.material.map = map;
      this.shown.material.needsUpdate = true;
      this.shown.visible = true;
    });
  }

  /** Half of the way to the next camera, and neither dust nor in the way. */
  sizeOfMarks(radius) {
    const nearest = this.all.map((one) => Math.min(
      ...this.all.filter((other) => other !== one).map((other) => one.centre.distanceTo(other.centre)),
    )).sort((a, b) => a - b);
    const typical = nearest[nearest.length >> 1] ?? Infinity;
    return THREE.MathUtils.clamp(typical / 2, radius / 40, radius / 7);
  }
}

class PlacedPhoto {
  constructor(told) {
    Object.assign(this, told);
    // Ours look along z with y down, three.js's along -z with y up.
    const [a, b, c, x, d, e, f, y, g, h, i, z] = told.cam_from_model;
    const turned = new THREE.Matrix4().set(a, b, c, x, -d, -e, -f, -y, -g, -h, -i, -z, 0, 0, 0, 1);
    this.modelFromEye = turned.invert();
    this.centre = new THREE.Vector3().setFromMatrixPosition(this.modelFromEye);
  }

  /** Its four corners at a distance, in the model: upper left, upper right, lower right, lower left. */
  corners(depth) {
    return [[0, 0], [this.width, 0], [this.width, this.height], [0, this.height]].map(([u, v]) =>
      new THREE.Vector3((u - this.cx) / this.fx, -(v - this.cy) / this.fy, -1)
        .multiplyScalar(depth).applyMatrix4(this.modelFromEye));
  }

  outline(depth) {
    const corners = this.corners(depth);
    return corners.flatMap((corner, i) => [this.centre, corner, corner, corners[(i + 1) % 4]]);
  }

  quad(depth) {
    const geometry = new THREE.BufferGeometry().setFromPoints(this.corners(depth));
    geometry.setAttribute("uv", new THREE.Float32BufferAttribute([0, 1, 1, 1, 1, 0, 0, 0], 2));
    geometry.setIndex([0, 3, 1, 1, 3, 2]);
    return geometry;
  }

  /** The view of the camera, its photo in the middle of a window less some bars. */
  view({ width, height }, bars) {
    const scale = Math.min((width - 24) / this.width, (height - bars.top - bars.bottom) / this.height);
    const left = (width - scale * this.width) / 2;
    const top = bars.top + (height - bars.top - bars.bottom - scale * this.height) / 2;
    const rotation = new THREE.Quaternion().setFromRotationMatrix(this.modelFromEye);
    return new View(this.centre, rotation, [
      (-left / scale - this.cx) / this.fx,
      ((width - left) / scale - this.cx) / this.fx,
      (top / scale + this.cy) / this.fy,
      -((height - top) / scale - this.cy) / this.fy,
    ]);
  }

  /** Hands over the photo as a texture, once it is decoded; never, where the page has none of it. */
  texture(changed, use) {
    if (!this.photo) return;
    this.map ??= new Promise((done) => {
      const image = new Image();
      image.onload = () => {
        const map = new THREE.Texture(image);
        Object.assign(map, { encoding: THREE.sRGBEncoding, needsUpdate: true });
        done(map);
      };
      image.src = this.photo;
    });
    this.map.then(use).then(changed);
  }
}
