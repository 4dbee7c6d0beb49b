import assert from "node:assert/strict";
import { FileChanges } from "../../../src/transport/tls/file_changes.ts";

/** Watched files in a directory of their own; `look` is one interval. */
class Scene implements Disposable {
  readonly directory = Deno.makeTempDirSync();
  changes = 0;
  isWatching = false;
  readonly #watch: FileChanges;
  #look: () => void = () => {};
  #tick = 0;

  constructor(names: readonly string[], prepare: (scene: Scene) => void) {
    prepare(this);
    this.#watch = new FileChanges({
      paths: names.map((name) => this.path(name)),
      onChange: () => this.changes++,
      every: (_intervalMs, look) => {
        this.isWatching = true;
        this.#look = look;
        return () => this.isWatching = false;
      },
    });
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  write(name: string, text: string) {
    Deno.writeTextFileSync(this.path(name), text);
    // Two writes within one millisecond are two all the same.
    Deno.utimeSync(this.path(name), 1_000_000 + this.#tick, 1_000_000 + this.#tick++);
  }

  /** So many looks; returns how often a change was told of. */
  looks(count: number): number {
    const before = this.changes;
    for (; count > 0; count--) this.#look();
    return this.changes - before;
  }

  [Symbol.dispose]() {
    this.#watch.close();
    assert.equal(this.isWatching, false);
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("tells once that a file was written, at the look after it is left alone", () => {
  using scene = new Scene(["a", "b"], (made) => {
    made.write("a", "1");
    made.write("b", "1");
  });
  assert.equal(scene.looks(3), 0);
  scene.write("a", "2");
  assert.equal(scene.looks(1), 0, "the key may follow");
  scene.write("b", "2");
  assert.equal(scene.looks(1), 0);
  assert.equal(scene.looks(1), 1);
  assert.equal(scene.looks(3), 0);
});

Deno.test("sees a file of the same size and another that was put in its place", () => {
  using scene = new Scene(["a"], (made) => made.write("a", "1"));
  scene.write("a", "2");
  assert.equal(scene.looks(2), 1);
  scene.write("new", "3");
  Deno.renameSync(scene.path("new"), scene.path("a"));
  assert.equal(scene.looks(2), 1);
});

Deno.test("sees links that are swapped, as Kubernetes does with its volumes", () => {
  using scene = new Scene(["tls.crt"], (made) => {
    for (const version of ["..1", "..2"]) {
      Deno.mkdirSync(made.path(version));
      Deno.writeTextFileSync(made.path(`${version}/tls.crt`), "same");
      Deno.utimeSync(made.path(`${version}/tls.crt`), 1, 1);
    }
    Deno.symlinkSync("..1", made.path("..data"));
    Deno.symlinkSync("..data/tls.crt", made.path("tls.crt"));
  });
  assert.equal(scene.looks(2), 0);
  Deno.symlinkSync("..2", scene.path("..data_tmp"));
  Deno.renameSync(scene.path("..data_tmp"), scene.path("..data"));
  assert.equal(scene.looks(2), 1);
});

Deno.test("sees what comes into a directory and goes from it", () => {
  using scene = new Scene(["ca"], (made) => Deno.mkdirSync(made.path("ca")));
  scene.write("ca/one.pem", "1");
  assert.equal(scene.looks(2), 1);
  scene.write("ca/one.pem", "2");
  assert.equal(scene.looks(2), 1);
  Deno.removeSync(scene.path("ca/one.pem"));
  assert.equal(scene.looks(2), 1);
});

Deno.test("sees a file that goes and comes; one that comes back as it was is no change", () => {
  using scene = new Scene(["a"], (made) => made.write("a", "1"));
  Deno.renameSync(scene.path("a"), scene.path("away"));
  assert.equal(scene.looks(1), 0);
  Deno.renameSync(scene.path("away"), scene.path("a"));
  assert.equal(scene.looks(3), 0);
  Deno.removeSync(scene.path("a"));
  assert.equal(scene.looks(2), 1);
  scene.write("a", "2");
  assert.equal(scene.looks(2), 1);
});

Deno.test("looks by the system's clock, and keeps no program from ending", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/a`;
  Deno.writeTextFileSync(path, "1");
  const changed = Promise.withResolvers<void>();
  const watch = new FileChanges({ paths: [path], intervalMs: 1, onChange: changed.resolve });
  Deno.writeTextFileSync(path, "longer");
  const keepAlive = setInterval(() => {}, 1000);
  await changed.promise;
  clearInterval(keepAlive);
  watch.close();
  Deno.removeSync(directory, { recursive: true });
});
