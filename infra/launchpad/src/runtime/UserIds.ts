/**
 * Which numeric user a pod's processes run as. As root every application of a namespace (Kubernetes' recommended label
 * `app.kubernetes.io/instance`) gets ids of its own, and so do a namespace's pods without that label; they are kept in a
 * file, so that they stay the same and are never given twice. As an ordinary user everything runs as that user.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Path from "node:path"
import * as process from "node:process"
import { KubeletConfig } from "./KubeletConfig.ts"

/** No entry in passwd; user and group have the same number. */
export interface ProcessUser {
  readonly uid: number
  readonly gid: number
}

/** What decides on a pod's user. */
export interface PodOwner {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

const nameOf = ({ namespace, labels }: PodOwner): string => {
  const instance = labels["app.kubernetes.io/instance"]
  return instance === undefined ? namespace : `${namespace}/${instance}`
}

export class UserIds extends Context.Service<
  UserIds,
  {
    /** `undefined`: the user that Launchpad itself runs as. */
    readonly ofPod: (pod: PodOwner) => Effect.Effect<ProcessUser | undefined, UserIdsUnavailable>
  }
>()("@starform/launchpad/runtime/UserIds") {}

/** The file of user ids cannot be read or written. */
export class UserIdsUnavailable extends Schema.TaggedError<UserIdsUnavailable>()("UserIdsUnavailable", {
  path: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `user ids in ${this.path} cannot be used`
  }
}

const UserIdFile = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Int))

const make = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const { directory, userIdFirst } = yield* KubeletConfig
  const path = Path.join(directory, "user-ids.json")
  const isRoot = process.getuid?.() === 0
  const unavailable = (cause: unknown) => new UserIdsUnavailable({ path, cause })
  const lock = yield* Semaphore.make(1)
  let known: Record<string, number> | undefined

  const load = Effect.gen(function* () {
    const exists = yield* files.exists(path)
    const text = exists ? yield* files.readFileString(path) : "{}"
    return { ...(yield* Schema.decodeEffect(UserIdFile)(text)) }
  })

  const assign = Effect.fnUntraced(function* (name: string) {
    known ??= yield* load
    const existing = Option.fromUndefinedOr(known[name])
    if (Option.isSome(existing)) {
      return existing.value
    }
    const uid = Math.max(userIdFirst - 1, ...Object.values(known)) + 1
    const next = { ...known, [name]: uid }
    yield* files.writeFileString(`${path}.new`, yield* Schema.encodeEffect(UserIdFile)(next), { mode: 0o600 })
    yield* files.rename(`${path}.new`, path)
    known = next
    return uid
  })

  const ofPod = Effect.fn("UserIds.ofPod")(function* (pod: PodOwner) {
    if (!isRoot) {
      return undefined
    }
    const uid = yield* lock
      .withPermits(1)(assign(nameOf(pod)))
      .pipe(Effect.mapError(unavailable))
    return { uid, gid: uid }
  })

  return UserIds.of({ ofPod })
})

export const layerNoDeps = Layer.effect(UserIds, make)
