/** The runtime's images, unpacked from the blob store into folders of this host. Invariants: README. */
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Digest } from "@starform/domain/ids/Digest"
import { BlobStore, type DiskFull } from "@starform/starbase/storage/BlobStore"
import { type ImageConfig, ImagePullFailed, ImageStore } from "../runtime/ImageStore.ts"
import type { ProcessUser } from "../runtime/UserIds.ts"
import { openBootFolder } from "./internal/bootFolder.ts"
import { linkTree } from "./internal/hardLinks.ts"
import { makeKeyedLock } from "./internal/keyedLock.ts"
import { digestOfReference, type OciConfig } from "./OciImage.ts"
import { type ImageReadError, type OciImageContent, readImage } from "./OciImageReader.ts"
import { attempt, type TreeUnavailable } from "./TreeErrors.ts"
import { unpackTree } from "./TreeUnpack.ts"

export interface ImageStoreSettings {
  /** All of it belongs to the store. Every folder above it must be open to the users that run apps. */
  readonly directory: string
  /** Folders of the host's own programs, appended to an image's `PATH`. */
  readonly hostPath: ReadonlyArray<string>
  /** Of one layer, unpacked. */
  readonly layerBytesMax: number
  readonly layerEntriesMax: number
}

export const defaults: Omit<ImageStoreSettings, "directory"> = {
  hostPath: [
    dirname(process.execPath),
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin"
  ],
  layerBytesMax: 4 * 1024 ** 3,
  layerEntriesMax: 500_000
}

const isPresent = (path: string) =>
  Effect.promise(() =>
    Fs.access(path).then(
      () => true,
      () => false
    )
  )

/** `PATH` as the host sees it: the image's own folders below its root, then the host's programs. */
const searchPath = (path: string, config: OciConfig["config"], root: string, host: ReadonlyArray<string>) => {
  const own = path.split(":").filter((folder) => folder.startsWith(`${config.WorkingDir}/`))
  return [...new Set([...own.map((folder) => join(root, folder)), ...host])].join(":")
}

const imageConfig = (
  { config }: OciConfig,
  rootDirectory: string,
  hostPath: ReadonlyArray<string>
): ImageConfig => {
  const environment: Record<string, string> = { PATH: "" }
  for (const variable of config.Env) {
    const [key = "", ...value] = variable.split("=")
    environment[key] = value.join("=")
  }
  const PATH = searchPath(environment["PATH"] ?? "", config, rootDirectory, hostPath)
  return {
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: { ...environment, PATH },
    workingDirectory: config.WorkingDir
  }
}

const make = Effect.fnUntraced(function* (settings: ImageStoreSettings) {
  const blobs = yield* BlobStore
  const folder = yield* attempt("open", () =>
    openBootFolder(settings.directory, { entered: ["images"], closed: ["layers"] })
  )
  const locked = makeKeyedLock()
  const contents = new Map<Digest, OciImageContent>()

  /** Runs `fill` on a fresh folder and gives it its name when it is whole (INV-IMG-3). */
  const whole = <E, R>(path: string, fill: (partial: string) => Effect.Effect<void, E, R>) =>
    Effect.gen(function* () {
      if (yield* isPresent(path)) return
      const partial = join(folder, "partial", randomUUID())
      yield* attempt("unpack", async () => {
        await Fs.mkdir(partial)
        await Fs.chmod(partial, 0o755)
      })
      yield* fill(partial).pipe(
        Effect.onError(() => Effect.promise(() => Fs.rm(partial, { recursive: true, force: true })))
      )
      yield* attempt("unpack", () => Fs.rename(partial, path))
    }).pipe(locked(path))

  const unpackLayer = (digest: Digest, root: string) =>
    unpackTree(blobs.get(digest), {
      root,
      owner: null,
      readOnly: true,
      bytesMax: settings.layerBytesMax,
      entriesMax: settings.layerEntriesMax
    })

  const layerFolder = (digest: Digest) => join(folder, "layers", digest.slice(7))

  const content = (digest: Digest): Effect.Effect<OciImageContent, ImageReadError> =>
    Effect.suspend(() => {
      const known = contents.get(digest)
      if (known !== undefined) return Effect.succeed(known)
      return readImage(digest).pipe(
        Effect.provideService(BlobStore, blobs),
        Effect.tap((read) => Effect.sync(() => contents.set(digest, read)))
      )
    })

  /** Where a user's trees are; nobody else passes, whatever path they have heard of (INV-IMG-7). */
  const homeOf = Effect.fnUntraced(function* (user: ProcessUser | undefined) {
    const home = join(folder, "images", user === undefined ? "own" : `${user.uid}`)
    yield* attempt("unpack", async () => {
      await Fs.mkdir(home, { recursive: true, mode: 0o700 })
      if (user === undefined) return
      await Fs.chown(home, process.getuid?.() ?? 0, user.gid)
      await Fs.chmod(home, 0o710)
    })
    return home
  })

  const prepareDigest = Effect.fn("ImageStore.prepare")(function* (
    digest: Digest,
    user: ProcessUser | undefined
  ) {
    const { manifest, config } = yield* content(digest)
    const rootDirectory = join(yield* homeOf(user), digest.slice(7))
    const layers = manifest.layers.map((layer) => layer.digest)
    const top = layers.slice(-1)
    const lower = layers.slice(0, -1).reverse()
    yield* whole(rootDirectory, (partial) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          lower,
          (layer) => whole(layerFolder(layer), (root) => unpackLayer(layer, root)),
          { concurrency: 2, discard: true }
        )
        yield* Effect.forEach(top, (layer) => unpackLayer(layer, partial), { discard: true })
        for (const layer of lower) yield* attempt("link", () => linkTree(layerFolder(layer), partial))
      })
    )
    return { rootDirectory, config: imageConfig(config, rootDirectory, settings.hostPath) }
  })

  return ImageStore.of({
    prepare: (image, user) => {
      const failed = (reason: string, cause?: unknown) =>
        Effect.fail(new ImagePullFailed({ image, reason, ...(cause === undefined ? {} : { cause }) }))
      return Option.match(digestOfReference(image), {
        onNone: () => failed("it does not name a digest"),
        onSome: (digest) =>
          prepareDigest(digest, user).pipe(
            Effect.catchTags({
              BlobNotFound: (error) =>
                failed(error.digest === digest ? "not found" : `a part of it, ${error.digest}, is missing`),
              BlobCorrupt: (error) => failed(error.message),
              BlobStoreUnavailable: (error) => failed("the blob store does not answer", error),
              ImageMalformed: (error) => failed(error.problem),
              TreeRefused: (error) => failed(error.message),
              TreeUnavailable: (error) => failed("it cannot be unpacked", error),
              DiskFull: () => failed("the disk is full")
            })
          )
      })
    }
  })
})

/** Fails when the folder cannot be made or written. */
export const layer = (
  settings: Pick<ImageStoreSettings, "directory"> & Partial<ImageStoreSettings>
): Layer.Layer<ImageStore, TreeUnavailable | DiskFull, BlobStore> =>
  Layer.effect(ImageStore, make({ ...defaults, ...settings }))
