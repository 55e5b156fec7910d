/** Seals and opens secret values under a data key per workspace. README beside this file has the invariants. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import type { SealedValue } from "@starform/domain/model/AppSettings"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"

/** A value cannot be sealed or opened: the key is gone, or the ciphertext is not of this workspace. Terminal. */
export class VaultFailure extends Schema.TaggedError<VaultFailure>()("VaultFailure", {
  workspaceId: Schema.String,
  operation: Schema.Literals(["seal", "open", "key"]),
  cause: Schema.Defect()
}) {
  override get message() {
    return `vault: ${this.operation} failed for workspace ${this.workspaceId}`
  }
}

export class Vault extends Context.Service<
  Vault,
  {
    /** @param context what the value is for; the same value in the same context seals to the same ciphertext */
    readonly seal: (
      workspaceId: WorkspaceId,
      context: string,
      value: Redacted.Redacted<string>
    ) => Effect.Effect<SealedValue, VaultFailure>
    readonly open: (
      workspaceId: WorkspaceId,
      sealed: SealedValue
    ) => Effect.Effect<Redacted.Redacted<string>, VaultFailure>
  }
>()("@starform/starbase/security/Vault") {}

const nonceBytes = 12
const tagBytes = 16

const encrypt = (key: Buffer, nonce: Buffer, plain: Buffer): string => {
  const cipher = createCipheriv("aes-256-gcm", key, nonce)
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64")
}

const decrypt = (key: Buffer, sealed: string): Buffer => {
  const bytes = Buffer.from(sealed, "base64")
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes))
  decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes))
  return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()])
}

interface DataKey {
  readonly id: string
  readonly key: Buffer
}

interface KeyRow {
  readonly keyId: string
  readonly wrapped: string
}

/** Data keys kept in memory per process. */
const keysKept = 10_000

/**
 * @param masterKey 32 bytes, base64; wraps the data keys in table `workspace_keys`, which this layer creates
 */
export const layerPostgres = (
  masterKey: Redacted.Redacted<string>
): Layer.Layer<Vault, VaultFailure, SqlClient.SqlClient> =>
  Layer.effect(
    Vault,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const master = Buffer.from(Redacted.value(masterKey), "base64")
      const failure = (workspaceId: string, operation: VaultFailure["operation"]) => (cause: unknown) =>
        new VaultFailure({ workspaceId, operation, cause })

      if (master.length !== 32) {
        return yield* failure("", "key")(new Error("the master key is not 32 bytes of base64"))
      }

      yield* sql`CREATE TABLE IF NOT EXISTS workspace_keys (
        workspace_id text PRIMARY KEY, key_id text NOT NULL, wrapped text NOT NULL)`.pipe(
        Effect.mapError(failure("", "key"))
      )

      const loadKey = Effect.fnUntraced(function* (workspaceId: WorkspaceId) {
        const fresh = { id: randomBytes(8).toString("hex"), key: randomBytes(32) }
        const wrapped = encrypt(master, randomBytes(nonceBytes), fresh.key)
        yield* sql`INSERT INTO workspace_keys (workspace_id, key_id, wrapped)
          VALUES (${workspaceId}, ${fresh.id}, ${wrapped}) ON CONFLICT DO NOTHING`.pipe(
          Effect.mapError(failure(workspaceId, "key"))
        )
        const rows = yield* sql<KeyRow>`
          SELECT key_id AS "keyId", wrapped FROM workspace_keys WHERE workspace_id = ${workspaceId}`.pipe(
          Effect.mapError(failure(workspaceId, "key"))
        )
        return yield* Effect.try({
          try: (): DataKey => ({ id: rows[0]!.keyId, key: decrypt(master, rows[0]!.wrapped) }),
          catch: failure(workspaceId, "key")
        })
      })

      const keys = yield* Cache.make({ capacity: keysKept, lookup: loadKey })

      return Vault.of({
        seal: Effect.fnUntraced(function* (workspaceId, context, value) {
          const { id, key } = yield* Cache.get(keys, workspaceId)
          const plain = Buffer.from(Redacted.value(value), "utf8")
          const nonce = createHmac("sha256", key).update(context).update("\0").update(plain).digest()
          return yield* Effect.try({
            try: () => ({ keyId: id, sealed: encrypt(key, nonce.subarray(0, nonceBytes), plain) }),
            catch: failure(workspaceId, "seal")
          })
        }),
        open: Effect.fnUntraced(function* (workspaceId, sealed) {
          const { key } = yield* Cache.get(keys, workspaceId)
          return yield* Effect.try({
            try: () => Redacted.make(decrypt(key, sealed.sealed).toString("utf8")),
            catch: failure(workspaceId, "open")
          })
        })
      })
    })
  )
