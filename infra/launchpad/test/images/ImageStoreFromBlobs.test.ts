import { spawnSync } from "node:child_process"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as Tar from "effect/encoding/Tar"
import type { Digest } from "@starform/domain/ids/Digest"
import { ServiceId, WorkspaceId } from "@starform/domain/ids/Ids"
import { type BlobEntry, BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"
import * as ImageStoreFromBlobs from "@starform/launchpad/images/ImageStoreFromBlobs"
import { imageReference } from "@starform/launchpad/images/OciImage"
import { writeImage } from "@starform/launchpad/images/OciImageWriter"
import { exportOciLayout } from "@starform/launchpad/images/OciLayout"
import { ImageStore } from "@starform/launchpad/runtime/ImageStore"
import { temporaryFolder } from "./TemporaryFolder.ts"

const workspaceId = WorkspaceId.make("11111111-1111-4111-8111-111111111111")
const serviceId = ServiceId.make("22222222-2222-4222-8222-222222222222")

const named = (digest: Digest) => imageReference(workspaceId, serviceId, digest)

const storesIn = (folder: string) =>
  ImageStoreFromBlobs.layer({ directory: join(folder, "unpacked"), hostPath: ["/host/bin"] }).pipe(
    Layer.provideMerge(Layer.orDie(BlobStoreFolder.layer({ directory: join(folder, "blobs") })))
  )

const inStores = <A, E>(run: (folder: string) => Effect.Effect<A, E, BlobStore | ImageStore>) =>
  Effect.flatMap(temporaryFolder, (folder) => Effect.provide(run(folder), storesIn(folder), { local: true }))

const layerOf = (files: Readonly<Record<string, string>>) =>
  Effect.flatMap(BlobStore, (blobs) =>
    blobs.put(
      Stream.fromIterable(Object.entries(files).map(([path, text]) => Tar.file(path, text))).pipe(
        Stream.pipeThroughChannelOrFail(Tar.encode())
      )
    )
  )

const imageOf = (layers: ReadonlyArray<BlobEntry>) =>
  writeImage({
    layers,
    command: ["node", "server.js"],
    environment: { PATH: "/app/node_modules/.bin:/usr/bin", NODE_ENV: "production" },
    workingDirectory: "/app",
    base: "node v0.0.0",
    platform: { architecture: "amd64", os: "linux" }
  })

const read = (...parts: ReadonlyArray<string>) => Effect.promise(() => Fs.readFile(join(...parts), "utf8"))

const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`app/node_modules/p${n % 60}/f${n}.js`, `module.exports = ${n}`])
  )

describe("ImageStoreFromBlobs", () => {
  it.live("prepares an image: its tree, its command, and PATH as the host sees it", () =>
    inStores(() =>
      Effect.gen(function* () {
        const layers = [
          yield* layerOf({ "app/node_modules/dep/index.js": "dep" }),
          yield* layerOf({ "app/server.js": "server" })
        ]
        const store = yield* ImageStore
        const { rootDirectory, config } = yield* store.prepare(named(yield* imageOf(layers)))
        assert.strictEqual(yield* read(rootDirectory, "app/server.js"), "server")
        assert.strictEqual(yield* read(rootDirectory, "app/node_modules/dep/index.js"), "dep")
        assert.deepStrictEqual(config, {
          entrypoint: [],
          command: ["node", "server.js"],
          environment: { NODE_ENV: "production", PATH: `${rootDirectory}/app/node_modules/.bin:/host/bin` },
          workingDirectory: "/app"
        })
      })
    )
  )

  it.live("does not copy a layer that another image has already (INV-IMG-4)", () =>
    inStores(() =>
      Effect.gen(function* () {
        const dependencies = yield* layerOf({ "app/node_modules/dep/index.js": "dep" })
        const store = yield* ImageStore
        const inodes = yield* Effect.forEach(["one", "two"], (text) =>
          Effect.gen(function* () {
            const digest = yield* imageOf([dependencies, yield* layerOf({ "app/server.js": text })])
            const { rootDirectory } = yield* store.prepare(named(digest))
            assert.strictEqual(yield* read(rootDirectory, "app/server.js"), text)
            return (yield* Effect.promise(() =>
              Fs.stat(join(rootDirectory, "app/node_modules/dep/index.js"))
            )).ino
          })
        )
        assert.strictEqual(inodes[0], inodes[1])
      })
    )
  )

  it.live("lets the upper layer win", () =>
    inStores(() =>
      Effect.gen(function* () {
        const layers = [
          yield* layerOf({ "app/a": "lowest", "app/b": "lowest", "app/c": "lowest" }),
          yield* layerOf({ "app/a": "middle", "app/b": "middle" }),
          yield* layerOf({ "app/a": "top" })
        ]
        const { rootDirectory } = yield* (yield* ImageStore).prepare(named(yield* imageOf(layers)))
        const texts = yield* Effect.forEach(["a", "b", "c"], (name) => read(rootDirectory, "app", name))
        assert.deepStrictEqual(texts, ["top", "middle", "lowest"])
      })
    )
  )

  it.live("unpacks once when it is asked many times at once (INV-IMG-4)", () =>
    inStores((folder) =>
      Effect.gen(function* () {
        const image = named(yield* imageOf([yield* layerOf(many(50)), yield* layerOf({ "app/a": "a" })]))
        const store = yield* ImageStore
        const prepared = yield* Effect.all(
          Array.from({ length: 10 }, () => store.prepare(image)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(prepared.map(({ rootDirectory }) => rootDirectory)).size, 1)
        const [boot = ""] = yield* Effect.promise(() => Fs.readdir(join(folder, "unpacked")))
        const left = yield* Effect.promise(() => Fs.readdir(join(folder, "unpacked", boot, "partial")))
        assert.deepStrictEqual(left, [])
      })
    )
  )

  it.live("does not read a layer again that it has unpacked (INV-IMG-4)", () =>
    inStores(() =>
      Effect.gen(function* () {
        const dependencies = yield* layerOf(many(700))
        const store = yield* ImageStore
        yield* store.prepare(named(yield* imageOf([dependencies, yield* layerOf({ "app/server.js": "1" })])))
        const blobs = yield* BlobStore
        yield* blobs.delete(dependencies.digest)
        const image = named(yield* imageOf([dependencies, yield* layerOf({ "app/server.js": "2" })]))
        const { rootDirectory } = yield* store.prepare(image)
        const files = yield* Effect.promise(() => Fs.readdir(rootDirectory, { recursive: true }))
        assert.isAbove(files.length, 700)
      })
    )
  )

  it.live("refuses a damaged layer, and leaves nothing of it (INV-IMG-3)", () =>
    inStores((folder) =>
      Effect.gen(function* () {
        const layer = yield* layerOf({ "app/a": "good".repeat(1000) })
        const image = named(yield* imageOf([layer]))
        const path = join(folder, "blobs/sha256", layer.digest.slice(7, 9), layer.digest.slice(7))
        const bytes = yield* Effect.promise(() => Fs.readFile(path))
        bytes.write("evil", 600)
        yield* Effect.promise(() => Fs.writeFile(path, bytes))
        const error = yield* Effect.flip((yield* ImageStore).prepare(image))
        assert.include(error.message, "damaged")
        const [boot = ""] = yield* Effect.promise(() => Fs.readdir(join(folder, "unpacked")))
        const left = yield* Effect.promise(() =>
          Promise.all(
            ["images/own", "partial"].map((name) => Fs.readdir(join(folder, "unpacked", boot, name)))
          )
        )
        assert.deepStrictEqual(left, [[], []])
      })
    )
  )

  it.live("names what is wrong with an image that it cannot have", () =>
    inStores(() =>
      Effect.gen(function* () {
        const store = yield* ImageStore
        const blobs = yield* BlobStore
        const noImage = yield* blobs.putBytes(Buffer.from("{}"))
        const missing = yield* layerOf({ "app/gone": "" })
        const incomplete = yield* imageOf([missing])
        yield* blobs.delete(missing.digest)
        yield* blobs.delete(noImage.digest)
        const escaping = yield* imageOf([yield* layerOf({ "../evil": "x" })])
        const garbage = yield* blobs.putBytes(Buffer.from("not a manifest"))
        const reasons = yield* Effect.forEach(
          ["shop:latest", named(noImage.digest), named(incomplete), named(escaping), named(garbage.digest)],
          (image) => Effect.map(Effect.flip(store.prepare(image)), ({ reason }) => reason)
        )
        assert.deepStrictEqual(reasons, [
          "it does not name a digest",
          "not found",
          `a part of it, ${missing.digest}, is missing`,
          "../evil: the path leaves the tree or cannot be written",
          "the manifest cannot be read"
        ])
      })
    )
  )

  it.live(
    "keeps trees for the next process of the same boot, and removes partial ones and those of other boots",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const unpacked = join(folder, "unpacked")
        const prepare = Effect.gen(function* () {
          const image = named(yield* imageOf([yield* layerOf({ "app/a": "a" })]))
          return (yield* (yield* ImageStore).prepare(image)).rootDirectory
        })
        const within = <A, E>(effect: Effect.Effect<A, E, BlobStore | ImageStore>) =>
          Effect.provide(effect, storesIn(folder), { local: true })
        const first = yield* within(prepare)
        const inode = (yield* Effect.promise(() => Fs.stat(join(first, "app/a")))).ino
        const [boot = ""] = yield* Effect.promise(() => Fs.readdir(unpacked))
        yield* Effect.promise(async () => {
          await Fs.mkdir(join(unpacked, boot, "partial", "half"))
          await Fs.mkdir(join(unpacked, "another-boot", "images"), { recursive: true })
        })
        const second = yield* within(prepare)
        assert.strictEqual((yield* Effect.promise(() => Fs.stat(join(second, "app/a")))).ino, inode)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(unpacked)), [boot])
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(unpacked, boot, "partial"))), [])
      })
  )

  it.live(
    "lets an app's user read the tree and change nothing in it, and nobody else (INV-IMG-5, INV-IMG-7)",
    (context) =>
      Effect.gen(function* () {
        if (process.getuid?.() !== 0) return context.skip("only root runs apps as another user")
        yield* inStores(() =>
          Effect.gen(function* () {
            const image = named(yield* imageOf([yield* layerOf({ "app/a": "a" })]))
            const user = { uid: 2_012_345, gid: 2_012_345 }
            const { rootDirectory } = yield* (yield* ImageStore).prepare(image, user)
            const asApp = (script: string) =>
              spawnSync("/bin/sh", ["-c", script], { cwd: join(rootDirectory, "app"), ...user })
            assert.strictEqual(asApp("cat a").stdout.toString(), "a")
            for (const script of ["echo b > a", "rm -f a", "echo b > b", "chmod 777 a", "ls ../../"]) {
              assert.notStrictEqual(asApp(script).status, 0, script)
            }
            const asOther = (path: string) =>
              spawnSync("/bin/cat", [path], { cwd: "/", uid: user.uid + 1, gid: user.gid + 1 }).status
            assert.notStrictEqual(asOther(join(rootDirectory, "app/a")), 0)
            const other = yield* (yield* ImageStore).prepare(image, { uid: user.uid + 1, gid: user.gid + 1 })
            assert.strictEqual(asOther(join(other.rootDirectory, "app/a")), 0)
          })
        )
      })
  )
})

describe("exportOciLayout", () => {
  const exported = (folder: string) =>
    Effect.gen(function* () {
      const layers = [yield* layerOf({ "app/node_modules/d.js": "d" }), yield* layerOf({ "app/a": "a" })]
      const digest = yield* imageOf(layers)
      const layout = join(folder, "layout")
      yield* exportOciLayout(digest, layout)
      return { digest, layout, layers }
    })

  it.live("writes a layout whose every digest and size is true", () =>
    inStores((folder) =>
      Effect.gen(function* () {
        const { digest, layout, layers } = yield* exported(folder)
        const json = (path: string) => Effect.map(read(layout, path), (text) => JSON.parse(text))
        assert.deepStrictEqual(yield* json("oci-layout"), { imageLayoutVersion: "1.0.0" })
        const index = yield* json("index.json")
        assert.strictEqual(index.manifests[0].digest, digest)
        const manifest = yield* json(`blobs/sha256/${digest.slice(7)}`)
        for (const { digest: blob, size } of [index.manifests[0], manifest.config, ...manifest.layers]) {
          const bytes = yield* Effect.promise(() => Fs.readFile(join(layout, "blobs/sha256", blob.slice(7))))
          assert.strictEqual(bytes.length, size)
          const check = spawnSync("sha256sum", [join(layout, "blobs/sha256", blob.slice(7))])
          assert.strictEqual(check.stdout.toString().split(" ")[0], blob.slice(7))
        }
        const config = yield* json(`blobs/sha256/${manifest.config.digest.slice(7)}`)
        assert.deepStrictEqual(
          config.rootfs.diff_ids,
          layers.map((layer) => layer.digest)
        )
        assert.deepStrictEqual(config.config.Labels, {
          "app.starform.base": "supplied by the host: node v0.0.0"
        })
      })
    )
  )

  it.live("writes a layout that skopeo reads", (context) =>
    inStores((folder) =>
      Effect.gen(function* () {
        if (spawnSync("skopeo", ["--version"]).status !== 0) return context.skip("skopeo is not installed")
        const { digest, layout } = yield* exported(folder)
        const inspected = spawnSync("skopeo", ["inspect", `oci:${layout}`])
        assert.strictEqual(inspected.status, 0, inspected.stderr.toString())
        assert.strictEqual(JSON.parse(inspected.stdout.toString()).Digest, digest)
      })
    )
  )
})
