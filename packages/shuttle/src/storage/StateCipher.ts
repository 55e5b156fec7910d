/** Seals and opens the agent's disk state: AES-256-GCM, a fresh nonce each time. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

/** The bytes are not what this key and this cluster sealed. */
export class StateNotOpened extends Schema.TaggedError<StateNotOpened>()("StateNotOpened", {
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `the stored document cannot be opened: ${this.problem}`
  }
}

const magic = Buffer.from("SFS1")
const nonceBytes = 12
const tagBytes = 16
export const keyBytes = 32

/** @param context authenticated, not hidden; opening needs the same */
export const sealBytes = (key: Uint8Array, context: string, bytes: Uint8Array): Uint8Array => {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context))
  const body = Buffer.concat([cipher.update(bytes), cipher.final()])
  return Buffer.concat([magic, nonce, body, cipher.getAuthTag()])
}

export const openBytes = (
  key: Uint8Array,
  context: string,
  sealed: Uint8Array
): Effect.Effect<Uint8Array, StateNotOpened> =>
  Effect.gen(function* () {
    const bytes = Buffer.from(sealed)
    const isOurs = bytes.length >= magic.length + nonceBytes + tagBytes && bytes.subarray(0, 4).equals(magic)
    if (!isOurs) return yield* new StateNotOpened({ problem: "it is not in the format SFS1" })
    return yield* Effect.try({
      try: () => {
        const nonce = bytes.subarray(magic.length, magic.length + nonceBytes)
        const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context))
        decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
        const body = bytes.subarray(magic.length + nonceBytes, bytes.length - tagBytes)
        return Buffer.concat([decipher.update(body), decipher.final()])
      },
      catch: (cause) => new StateNotOpened({ problem: "another key, another cluster, or damaged", cause })
    })
  })

export const seal = (key: Uint8Array, context: string, text: string): Uint8Array =>
  sealBytes(key, context, Buffer.from(text, "utf8"))

export const open = (
  key: Uint8Array,
  context: string,
  sealed: Uint8Array
): Effect.Effect<string, StateNotOpened> =>
  Effect.map(openBytes(key, context, sealed), (bytes) => Buffer.from(bytes).toString("utf8"))

export const newKey = (): Uint8Array => randomBytes(keyBytes)
